//! `pow`, all of the C library's mathematics that is wanted here (by indicatif): to find, map and relocate `libm.so` for it costs
//! each start 0.1 ms. The linker takes this one instead.
#![expect(unsafe_code, reason = "a symbol that the linker finds by its name")]

// SAFETY: it is what C says of this name.
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
