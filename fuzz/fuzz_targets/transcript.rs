#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| progrun::internals::fuzz::transcript(data));
