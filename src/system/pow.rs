//! `pow`, the only function of the C library's mathematics that this program needs (for indicatif). The linker takes
//! this one, because finding, mapping and relocating `libm.so` would cost each start 0.1 ms.
#![expect(unsafe_code, reason = "a symbol that the linker finds by its name")]

// SAFETY: the signature is that of C's `pow`.
#[unsafe(no_mangle)]
extern "C" fn pow(base: f64, exponent: f64) -> f64 {
    libm::pow(base, exponent)
}
