//! What stands before the server in a data centre: something that ends TLS, and that heeds
//! `If-Match`, which the server of the tests does not. One request a connection.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::sh;

pub(super) struct Front {
    pub(super) port: u16,
    over: Arc<AtomicBool>,
}

/// How a front does it.
#[derive(Clone)]
pub(super) struct How {
    /// The port of the server behind it.
    pub(super) server: u16,
    pub(super) heeds_if_match: bool,
    pub(super) tls: Option<Arc<ServerConfig>>,
}

impl Front {
    pub(super) fn start(how: How) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (client, how) = (client.unwrap(), how.clone());
                std::thread::spawn(move || match how.tls.clone() {
                    // A client that does not trust us goes away: an error of its own.
                    Some(tls) => {
                        let session = ServerConnection::new(tls).unwrap();
                        let mut stream = StreamOwned::new(session, client);
                        if pass(&mut stream, &how).is_ok() {
                            stream.conn.send_close_notify();
                            let _ = stream.flush();
                        }
                    }
                    None => drop(pass(client, &how)),
                });
            }
        });
        Front { port, over }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Passes one request on, and its answer back.
fn pass(mut client: impl Read + Write, how: &How) -> std::io::Result<()> {
    let request = head(&mut client)?;
    let mut server = TcpStream::connect(("127.0.0.1", how.server))?;
    let (first, rest) = request.split_once("\r\n").unwrap();
    write!(server, "{first}\r\nconnection: close\r\n{rest}")?;
    let body = header(&request, "content-length").map_or(0, |length| length.parse().unwrap());
    std::io::copy(&mut (&mut client).take(body), &mut server)?;
    let answer = head(&mut server)?;
    let wanted = header(&request, "if-match").filter(|_| how.heeds_if_match);
    if wanted.is_some_and(|wanted| header(&answer, "etag") != Some(wanted)) {
        let refused = "HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\
                       connection: close\r\n\r\n";
        client.write_all(refused.as_bytes())?;
        return client.flush();
    }
    client.write_all(answer.as_bytes())?;
    std::io::copy(&mut server, &mut client)?;
    client.flush()
}

/// Everything up to the empty line, with it.
fn head(stream: &mut impl Read) -> std::io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8(head).unwrap())
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim())
}

/// Makes an authority `NAME.pem` in `dir`, and a server's certificate and key `NAME-server.*` of it.
pub(super) fn authority(dir: &Path, name: &str) {
    let new = ["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"];
    let curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    let (subject, server) = (format!("/CN={name}"), format!("/CN={name}-server"));
    let own = ["-subj", &subject, "-keyout", &key, "-out", &pem];
    sh("openssl", &[&new[..], &curve, &own].concat(), dir);
    let (server_key, server_pem) = (format!("{name}-server.key"), format!("{name}-server.pem"));
    let of = [
        "-subj",
        &server,
        "-CA",
        &pem,
        "-CAkey",
        &key,
        "-keyout",
        &server_key,
        "-out",
        &server_pem,
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    sh("openssl", &[&new[..], &curve, &of].concat(), dir);
}

/// The server of an authority.
pub(super) fn server_of(dir: &Path, name: &str) -> Arc<ServerConfig> {
    let path = |end: &str| dir.join(format!("{name}-server.{end}"));
    let certificate = CertificateDer::from_pem_file(path("pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(path("key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}
