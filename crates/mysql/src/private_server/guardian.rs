//! The process that outlives us for a moment and takes the server with it.
//!
//! A shell holds the server as its child and reads orders from a pipe whose other end is ours
//! alone (Rust's pipes close on exec). However our process ends, the pipe closes, and the shell
//! kills the server, by its own process number and while it has not reaped it, and removes the
//! files. It has a process group of its own, so that Ctrl-C reaches us and not it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::ServerError;

const SCRIPT: &str = r#"
dir=$1 extra=$2 mariadbd=$3
shift 3
pid=
trap : INT HUP TERM
end() {
  [ -z "$pid" ] || { kill -KILL "$pid"; wait "$pid"; } 2>/dev/null
  pid=
}
while read -r order port; do
  case $order in
    start)
      [ -z "$pid" ] || wait "$pid"
      "$mariadbd" --no-defaults "--port=$port" "--server-id=$port" "$@" >>"$dir/error.log" 2>&1 &
      pid=$!
      echo "$pid" ;;
    term) [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null; echo asked ;;
    kill) end; echo killed ;;
  esac
done
end
rm -rf -- "$dir" "$extra"
"#;

#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Guardian {
    /// Starts the guardian of a server that does not run yet. At the end it removes `dir`, where
    /// it keeps the server's `error.log`, and `extra`, which may be the same.
    ///
    /// The orders are `start PORT`, answered by the process number, `term` and `kill`. Options
    /// of the operator's own server do not reach this one, and `args` come last, where they win.
    pub(super) fn new(
        dir: &Path,
        extra: &Path,
        mariadbd: &Path,
        args: Vec<OsString>,
    ) -> Result<Self, ServerError> {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(SCRIPT)
            .arg("elpis-guardian")
            .args([dir, extra, mariadbd])
            .args(args)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| ServerError::Program {
                program: "sh".to_owned(),
                source,
            })?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let answers = answers.ok_or_else(|| ServerError::Guardian(ErrorKind::BrokenPipe.into()))?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Gives an order and waits for the answer, which comes at once.
    pub(super) fn ask(&mut self, order: &str) -> Result<String, ServerError> {
        self.exchange(order).map_err(ServerError::Guardian)
    }

    fn exchange(&mut self, order: &str) -> Result<String, Error> {
        let orders = self.orders.as_mut().ok_or(ErrorKind::BrokenPipe)?;
        writeln!(orders, "{order}")?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.orders = None;
        // Only so that it does not stay as a zombie; it does its work without us.
        self.child.wait().ok();
    }
}
