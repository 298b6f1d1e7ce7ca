use progrun::dialect::{
    Lines,
    json::{Json, is_report},
};
#[test]
fn dump() {
    for f in std::env::var("DUMP").unwrap().split(' ') {
        println!("== {f}");
        let text = String::from_utf8_lossy(&std::fs::read(f).unwrap()).into_owned();
        let mut json = Json::new(|_| true);
        for line in text.split('\n') {
            let ours = json.line(line, &mut |name, p| println!("{name} {}", p.to_json()));
            if !ours || !is_report(line) {
                println!(
                    "   {ours} {} {}",
                    is_report(line),
                    &line[..line.floor_char_boundary(100)]
                );
            }
        }
    }
}
