//! Numbers as people read them.

#[cfg(feature = "maint")]
use elpis_maint_core::store::Count;

/// `1234567` as `1,234,567`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same, with `~` before an estimate.
#[cfg(feature = "maint")]
pub(crate) fn count(count: Count) -> String {
    let mark = if count.exact { "" } else { "~" };
    format!("{mark}{}", number(count.rows))
}

/// Seconds as `3 s`, `4 min 5 s`, `2 h 7 min`.
pub(crate) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The length of a bucket, as `6 h`.
#[cfg(feature = "maint")]
pub(crate) fn hours(bucket_s: i64) -> String {
    format!("{} h", bucket_s / 3600)
}

/// Bytes as `12.3 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            let digits = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(12_345_678), "12,345,678");
    }

    #[cfg(feature = "maint")]
    #[test]
    fn estimates_are_marked() {
        assert_eq!(count(Count::estimated(1_000)), "~1,000");
    }

    #[test]
    fn times_and_sizes_read_well() {
        assert_eq!(seconds(0.0123), "12 ms");
        assert_eq!(seconds(3.21), "3.2 s");
        assert_eq!(seconds(59.7), "1 min 0 s");
        assert_eq!(seconds(7_620.0), "2 h 7 min");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(4_096_000), "4.1 MB");
        assert_eq!(bytes(123_456_789), "123 MB");
    }
}
