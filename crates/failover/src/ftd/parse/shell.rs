//! What the ordinary tools of the expert shell print.

use serde::{Deserialize, Serialize};

/// `stat -c '%i %s %Y'` of a file: enough to know it again and to see it grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStat {
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Seconds since the epoch, on the device's clock.
    pub modified: i64,
}

impl FileStat {
    /// Reads the one line.
    pub(crate) fn read(text: &str) -> Option<FileStat> {
        let mut words = text.split_whitespace();
        let stat = FileStat {
            inode: words.next()?.parse().ok()?,
            size: words.next()?.parse().ok()?,
            modified: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(stat)
    }
}

/// Free kibibytes on one file system of `df -Pk`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FreeSpace {
    pub kibibytes: u64,
    pub mount: String,
}

/// Reads `df -Pk`: the POSIX format never wraps a line.
pub(crate) fn free_space(text: &str) -> Vec<FreeSpace> {
    text.lines()
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            match columns.as_slice() {
                [_, _, _, available, percent, mount] if percent.ends_with('%') => Some(FreeSpace {
                    kibibytes: available.parse().ok()?,
                    mount: (*mount).to_owned(),
                }),
                _ => None,
            }
        })
        .collect()
}

/// The installers among the processes of `ps -eo pid,args`, as their command lines. A person who
/// looks at the script or follows its log is no installer.
pub(crate) fn running_installers(text: &str) -> Vec<String> {
    let script = |word: &str| {
        let name = word.rsplit('/').next().unwrap_or(word);
        name == "install_update.pl" || name == "main_upgrade_script.sh"
    };
    text.lines()
        .filter_map(|line| {
            let (pid, args) = line.trim().split_once(char::is_whitespace)?;
            pid.parse::<u32>().ok()?;
            let mut words = args.split_whitespace();
            let program = words.next()?;
            let interpreted = program.ends_with("perl") || program.ends_with("sh");
            let found = script(program) || (interpreted && words.next().is_some_and(script));
            found.then(|| args.trim().to_owned())
        })
        .collect()
}

/// The same from the output of `ps -eo pid,etimes,args`, each with its age in seconds.
pub(crate) fn installers_with_age(text: &str) -> Vec<(i64, String)> {
    text.lines()
        .filter_map(|line| {
            let (pid, rest) = line.trim().split_once(char::is_whitespace)?;
            let (age, args) = rest.trim().split_once(char::is_whitespace)?;
            let found = running_installers(&format!("{pid} {args}"))
                .into_iter()
                .next()?;
            Some((age.parse().ok()?, found))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_three_numbers_and_nothing_else() {
        let stat = FileStat::read("131 1123706880 1721270160\n").unwrap();
        assert_eq!(
            (stat.inode, stat.size, stat.modified),
            (131, 1_123_706_880, 1_721_270_160)
        );
        for wrong in [
            "",
            "131 112",
            "131 112 172 9",
            "stat: cannot stat 'x': No such file",
        ] {
            assert_eq!(FileStat::read(wrong), None);
        }
    }

    #[test]
    fn free_space_is_read_by_mount_point() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/sda6 16777216 6000000 10777216 36% /ngfw\nrootfs 4000000 1 3999999 1% /\n";
        let read = free_space(text);
        assert_eq!(read.len(), 2);
        assert_eq!(
            read.first()
                .map(|free| (free.kibibytes, free.mount.as_str())),
            Some((10_777_216, "/ngfw"))
        );
    }

    #[test]
    fn somebody_who_reads_the_log_is_no_installer() {
        let text = "  PID COMMAND\n  1 init\n 77 tail -f install_update.pl.log\n\
                    91 vi /usr/local/sf/bin/install_update.pl\n\
                    99 /usr/bin/perl /usr/local/sf/bin/install_update.pl --detach x.tar\n";
        assert_eq!(
            running_installers(text),
            ["/usr/bin/perl /usr/local/sf/bin/install_update.pl --detach x.tar"]
        );
    }

    #[test]
    fn an_installers_age_is_read_and_nothing_else_is_an_installer() {
        let text = "    PID ELAPSED COMMAND\n 9000    3125 /usr/bin/perl /usr/local/sf/bin/install_update.pl --detach x.tar\n 9001 1 grep install_update.pl\n 9002 - perl install_update.pl\n";
        let line = "/usr/bin/perl /usr/local/sf/bin/install_update.pl --detach x.tar";
        assert_eq!(installers_with_age(text), [(3125, line.to_owned())]);
    }
}
