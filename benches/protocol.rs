//! Batch read from memory: the decoder against a bare `serde_json` loop over the same lines, and the short forms.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use progrun::protocol::{Decoder, Line};
use serde::Deserialize;

const LINES: u64 = 10_000;
/// The bytes of one `read` from a pipe.
const CHUNK: usize = 64 * 1024;

#[derive(Deserialize)]
#[expect(dead_code, reason = "read for the sake of reading")]
struct Borrowed<'a> {
    progress: Option<f64>,
    total: Option<f64>,
    message: Option<&'a str>,
}

fn lines(mut write: impl FnMut(&mut String, u64)) -> String {
    let mut text = String::new();
    for number in 0..LINES {
        write(&mut text, number);
        text.push('\n');
    }
    text
}

fn decode(text: &str) {
    let mut decoder = Decoder::new();
    let mut each = |line: Line<'_>| {
        black_box(&line);
    };
    for chunk in text.as_bytes().chunks(CHUNK) {
        decoder.feed(chunk, &mut each);
    }
    decoder.finish(&mut each);
}

fn reports(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("protocol");
    group.throughput(Throughput::Elements(LINES));

    let objects = lines(|text, number| {
        let _ = write!(
            text,
            r#"{{"progress":{number},"total":1000000,"message":"file {number}.jpg"}}"#
        );
    });
    group.bench_function("object: bare serde_json", |bencher| {
        bencher.iter(|| {
            for line in objects.lines() {
                let _ = black_box(&serde_json::from_slice::<Borrowed<'_>>(line.as_bytes()));
            }
        });
    });

    let parts = lines(|text, number| {
        let part = number % 8;
        let _ = write!(
            text,
            r#"{{"id":{part},"progress":{number},"total":1000000,"extra":[1,2]}}"#
        );
    });
    let percents = lines(|text, number| {
        let _ = write!(text, "{}", number % 101);
    });
    let amounts = lines(|text, number| {
        let _ = write!(text, "{number}/{LINES} copying {number}.jpg");
    });
    let texts = lines(|text, number| {
        let _ = write!(text, "copying {number}.jpg");
    });
    let blank = lines(|_, _| ());
    for (name, text) in [
        ("object", &objects),
        ("object of a part", &parts),
        ("short: 42", &percents),
        ("short: 3/10 text", &amounts),
        ("short: text", &texts),
        ("blank", &blank),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| decode(text)));
    }
    group.finish();
}

criterion_group!(benches, reports);
criterion_main!(benches);
