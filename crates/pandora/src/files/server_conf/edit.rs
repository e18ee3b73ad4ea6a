//! Changing one token and nothing else.

use std::collections::BTreeSet;

use elpis_run::Secret;

use super::{ConfigError, ServerConf, Token};

impl ServerConf {
    /// Sets a token so that both of the product's readers see it, and keeps every other byte: the
    /// line they take it from gets the new value, a missing one is added at the end.
    ///
    /// # Errors
    /// [`ConfigError::Unwritable`] if one of the readers would not read `value` back; the file is
    /// then as it was.
    pub fn set(&mut self, token: &str, value: &str) -> Result<(), ConfigError> {
        let mut bytes = self.bytes.expose().clone();
        let written = format!("{token} {value}");
        let lines: BTreeSet<usize> = [self.by_tool(token), self.by_server(token)]
            .into_iter()
            .flatten()
            .map(|found| found.line)
            .collect();
        // From the end, so that the places of the lines before stay true.
        for number in lines.iter().rev() {
            let line = self.lines[number - 1].whole.clone();
            let is_unended = line.end == bytes.len();
            // A carriage return before the line end stays where it is.
            let end = match bytes[line.clone()].last() {
                Some(b'\r') => line.end - 1,
                _ => line.end,
            };
            let new = if is_unended { "\n" } else { "" };
            bytes.splice(line.start..end, (written.clone() + new).into_bytes());
        }
        if lines.is_empty() {
            if bytes.last().is_some_and(|last| *last != b'\n') {
                bytes.push(b'\n');
            }
            bytes.extend(written.into_bytes());
            bytes.push(b'\n');
        }
        let changed = ServerConf::parse(&self.path, bytes);
        let reads =
            |found: Option<Token<'_>>| found.is_some_and(|found| found.value == value.as_bytes());
        if !reads(changed.by_tool(token)) || !reads(changed.by_server(token)) {
            return Err(ConfigError::Unwritable {
                path: self.path.clone(),
                key: token.to_owned(),
                reason: "the product would not read this value back; it must be one line without \
                         blanks at its ends that begins with a letter, a digit or one of \
                         / ? & = ( ) - _ . ! * @ # % $ ~ \" '",
            });
        }
        *self = changed;
        Ok(())
    }

    /// The file as it is now. It holds a password.
    pub fn into_bytes(self) -> Secret<Vec<u8>> {
        self.bytes
    }
}
