//! Files by HTTP, for the programs that fetch them: as much of it as curl, pip and apt need.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// Serves the files of a folder until the test program ends, at `rate` bytes a second. Returns the server's address.
pub(super) fn serve(folder: &Path, rate: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = folder.to_owned();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let folder = folder.clone();
            // An error only means that the client hung up in the middle: it was interrupted.
            thread::spawn(move || answer(&client, &folder, rate));
        }
    });
    format!("http://{address}")
}

fn answer(mut client: &TcpStream, folder: &Path, rate: &str) -> io::Result<()> {
    let mut lines = BufReader::new(client).lines();
    while let Some(request) = lines.next().transpose()? {
        // The headers of a request do not matter.
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let name: PathBuf = path
            .split('/')
            .filter(|part| *part != "." && *part != "..")
            .collect();
        let path = folder.join(name);
        let page = path.join("index.html");
        let (path, kind) = if page.is_file() {
            (page, "text/html")
        } else {
            (path, "application/octet-stream")
        };
        let Ok(about) = path.metadata() else {
            client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let length = about.len();
        write!(
            client,
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        )?;
        if !request.starts_with("HEAD") {
            let mut pv = Command::new("pv")
                .args(["--quiet", "--rate-limit", rate])
                .arg(&path)
                .stdout(Stdio::piped())
                .spawn()?;
            let copied = io::copy(pv.stdout.as_mut().unwrap(), &mut client);
            pv.kill()?;
            pv.wait()?;
            copied?;
        }
    }
    Ok(())
}
