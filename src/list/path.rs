//! The parts of a path that a placeholder can ask for. Looks at bytes only, never at the file system.

/// The last component: `c.d` of `a/b/c.d`, `b` of `a/b/`, `/` of `/`.
pub(super) fn name(path: &[u8]) -> &[u8] {
    let trimmed = without_slashes(path);
    match memchr::memrchr(b'/', trimmed) {
        Some(slash) if slash + 1 < trimmed.len() => &trimmed[slash + 1..],
        _ => trimmed,
    }
}

/// The folder that contains it: `a/b` of `a/b/c`, `.` of `c`, `/` of `/c`.
pub(super) fn folder(path: &[u8]) -> &[u8] {
    let trimmed = without_slashes(path);
    match memchr::memrchr(b'/', trimmed) {
        Some(slash) => without_slashes(&trimmed[..=slash]),
        None => b".",
    }
}

/// The path without the extension of its last component. The dots at the beginning of a name begin no extension:
/// otherwise `rm {.}` of `a/.b` would be `rm a/`.
pub(super) fn without_extension(path: &[u8]) -> &[u8] {
    let start = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    let name = &path[start..];
    match memchr::memrchr(b'.', name) {
        Some(dot) if name[..dot].iter().any(|byte| *byte != b'.') => &path[..start + dot],
        _ => path,
    }
}

/// Without slashes at the end; of slashes alone, one stays.
fn without_slashes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/');
    &path[..end.map_or(path.len().min(1), |end| end + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_what_basename_dirname_and_a_person_would_say() {
        let cases: [(&str, [&str; 4]); 15] = [
            (
                "a/b.c/d.tar.gz",
                ["a/b.c/d.tar", "d.tar.gz", "a/b.c", "d.tar"],
            ),
            ("noext", ["noext", "noext", ".", "noext"]),
            (".hidden", [".hidden", ".hidden", ".", ".hidden"]),
            (".hidden.txt", [".hidden", ".hidden.txt", ".", ".hidden"]),
            ("a/.b", ["a/.b", ".b", "a", ".b"]),
            ("dir.d/x", ["dir.d/x", "x", "dir.d", "x"]),
            ("/", ["/", "/", "/", "/"]),
            ("//", ["//", "/", "/", "/"]),
            ("/x.y", ["/x", "x.y", "/", "x"]),
            ("a//b", ["a//b", "b", "a", "b"]),
            ("dir.d/", ["dir.d/", "dir.d", ".", "dir"]),
            ("a.", ["a", "a.", ".", "a"]),
            ("..", ["..", "..", ".", ".."]),
            ("../..", ["../..", "..", "..", ".."]),
            ("", ["", "", ".", ""]),
        ];
        for (path, expected) in cases {
            let path = path.as_bytes();
            let found = [
                without_extension(path),
                name(path),
                folder(path),
                without_extension(name(path)),
            ];
            assert_eq!(found.map(|part| str::from_utf8(part).unwrap()), expected);
        }
    }
}
