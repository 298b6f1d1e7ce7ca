//! The cost of looking for progress in the output of a child, against counting its lines.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use progrun::internals::{Dialects, Place, Selection};

/// The bytes of one `read` from a pipe.
const CHUNK: usize = 64 * 1024;
const SIZE: usize = 8 * 1024 * 1024;

fn lines(mut write: impl FnMut(&mut String, u64)) -> String {
    let mut text = String::with_capacity(SIZE + 200);
    for number in 0.. {
        if text.len() >= SIZE {
            break;
        }
        write(&mut text, number);
        text.push('\n');
    }
    text
}

fn read(text: &str) {
    let mut dialects = Dialects::new(Selection::Auto, false);
    let now = Instant::now();
    for chunk in text.as_bytes().chunks(CHUNK) {
        dialects.feed(Place::Stdout, chunk, now);
    }
    dialects.finish(Place::Stdout, Instant::now());
    black_box(dialects.take());
}

fn output(criterion: &mut Criterion) {
    let words = "the quick brown fox jumps over the lazy dog and runs away through the tall gras";
    let prose = lines(|text, _| text.push_str(words));
    let compiler = lines(|text, number| {
        let _ = write!(
            text,
            "/usr/bin/cc -I/usr/include/x86_64 -O2 -MD -MT d.dir/s{number}.c.o -c src/s{number}.c"
        );
    });
    let warnings = lines(|text, number| {
        let _ = write!(
            text,
            "\x1b[1msrc/s{number}.c:402:14:\x1b[m\x1b[K \x1b[35mwarning:\x1b[m unused variable 'x'"
        );
    });
    let windows = prose.replace('\n', "\r\n");
    let long = "x".repeat(SIZE);
    let percents = lines(|text, number| {
        let _ = write!(
            text,
            "{number} cpu 12.5% idle, 31% of memory, as in the last minute"
        );
    });
    let meter = lines(|text, number| {
        let _ = write!(
            text,
            "\rReceiving objects:  {}% ({number}/900000), 1 MiB",
            number / 9000
        );
    })
    .replace('\n', "");
    let mut group = criterion.benchmark_group("dialect");
    for (name, text) in [
        ("prose", &prose),
        ("compiler", &compiler),
        ("coloured warnings", &warnings),
        ("CR LF", &windows),
        ("no newline", &long),
        ("percents", &percents),
        ("a meter", &meter),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| read(text)));
        group.bench_function(format!("{name}: lines counted"), |bencher| {
            bencher.iter(|| black_box(memchr::memchr_iter(b'\n', text.as_bytes()).count()));
        });
    }
    group.finish();
}

criterion_group!(benches, output);
criterion_main!(benches);
