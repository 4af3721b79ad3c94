//! A running service under test, and the plainest of clients.

use crate::workbench::command;
use serde_json::Value;
#[cfg(unix)]
use std::process::{Command, ExitStatus};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Stdio},
    thread::{self, JoinHandle},
};

/// A service in a process of its own, at ports that the system chose. Dropping it kills it.
pub(crate) struct Served {
    child: Child,
    /// What it says once it listens.
    log: Option<JoinHandle<Vec<u8>>>,
    pub(crate) callers: SocketAddr,
    pub(crate) operators: SocketAddr,
}

/// A connection that is kept.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Served {
    /// Starts `pointsman serve` inside of a folder and waits until it listens.
    #[track_caller]
    pub(crate) fn start(folder: &Path, arguments: &str) -> Self {
        let all = format!("serve {arguments} --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0");
        let mut child = command(all.split_whitespace())
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let listening = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the service did not begin");
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if event["event"] == "listening" {
                break event;
            }
        };
        // A pipe that is full would stop the service.
        let log = thread::spawn(move || {
            let mut said = Vec::new();
            // It ends with the service.
            drop(log.read_to_end(&mut said));
            said
        });
        let address = |key: &str| listening[key].as_str().unwrap().parse().unwrap();
        let (callers, operators) = (address("callers"), address("operators"));
        Self { child, log: Some(log), callers, operators }
    }

    /// The number of its process.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells the service to end, as a supervisor does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let told = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(told.success());
    }

    /// Waits until the service has ended by itself.
    #[cfg(unix)]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Everything that it said after it listened, once it has ended.
    #[cfg(unix)]
    pub(crate) fn log(&mut self) -> String {
        let said = self.log.take().unwrap().join().unwrap();
        String::from_utf8(said).unwrap()
    }

    /// Ends the service as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a body; the status and the body that come back.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<(u16, String)> {
        self.call(&format!("POST {path}"), ("", body))
    }

    /// Asks for a path and sends a body, with further headers as whole lines; the status and the body
    /// that come back.
    pub(crate) fn call(
        &mut self,
        what: &str,
        (headers, body): (&str, &str),
    ) -> io::Result<(u16, String)> {
        let call = format!(
            "{what} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(call.as_bytes())?;
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let status = self.line()?.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(broken)?;
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let mut body = vec![0; length.ok_or_else(broken)?];
        self.0.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// A call that has to succeed.
    #[track_caller]
    pub(crate) fn done(&mut self, path: &str, body: &Value) -> Value {
        let (status, reply) = self.post(path, &body.to_string()).unwrap();
        assert_eq!(status, 200, "{reply}");
        serde_json::from_str(&reply).unwrap()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}
