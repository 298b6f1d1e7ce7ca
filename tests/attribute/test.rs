//! `#[test]` for tests/main.rs: also enters the function in the list of tests.
//!
//! The compiler collects tests only for its own harness, libtest, in which a test cannot say that it did not run.

use proc_macro::{Ident, TokenStream, TokenTree};

/// Leaves the function as it is.
#[proc_macro_attribute]
pub fn test(_: TokenStream, function: TokenStream) -> TokenStream {
    let name = name(function.clone()).expect("#[test] stands before a function");
    let entry = format!("crate::harness::enter!({name});");
    let entry: TokenStream = entry.parse().expect("a call of a macro");
    function.into_iter().chain(entry).collect()
}

fn name(function: TokenStream) -> Option<Ident> {
    let mut tokens = function.into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name),
        _ => None,
    }
}
