//! One GET at a time over a plain socket: what the program says is read without any of its own code.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(10);

/// Status code and body; none when nobody answers.
pub fn get(port: u16, path: &str) -> Option<(u16, Vec<u8>)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, CONNECT).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let code = head.split_whitespace().nth(1)?.parse().ok()?;
    let body = answer.split_off(end + 4);
    let body = if head.contains("transfer-encoding: chunked") { whole(&body)? } else { body };
    Some((code, body))
}

/// Puts the chunks of a body together; none when the connection broke in the middle.
fn whole(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        let (chunk, after) = rest.get(end + 2..)?.split_at_checked(length)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n")?;
    }
}

/// The JSON of an answer with code 200.
pub fn json(port: u16, path: &str) -> Option<Value> {
    let (code, body) = get(port, path)?;
    (code == 200).then(|| serde_json::from_slice(&body).expect("JSON"))
}

/// The blocks of an answer of `/v1/blocks`, without their certificates, which differ from validator to validator.
pub fn blocks(body: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut blocks) = (body, vec![]);
    while !rest.is_empty() {
        let (block, after) = part(rest).expect("a whole block");
        let (_certificate, after) = part(after).expect("a whole certificate");
        blocks.push(block.to_vec());
        rest = after;
    }
    blocks
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
