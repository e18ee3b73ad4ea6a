//! `show failover history`: why roles changed. It is cleared by a reload.

use super::leading_date;

/// The last change of state with its reason, as one line for people; `None` if there was none
/// since the last reload.
pub(crate) fn last_change(text: &str) -> Option<String> {
    let mut last = None;
    let mut date: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if let Some((found, _)) = leading_date(line) {
            date = Some(found);
        } else if let Some(at) = date.take()
            && !line.is_empty()
            && !line.starts_with("====")
        {
            let columns: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|column| !column.is_empty())
                .collect();
            if let [from, to, reason @ ..] = columns.as_slice() {
                last = Some(format!("{at}: {from} -> {to} ({})", reason.join(" ")));
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_is_told_with_its_reason() {
        let text = include_str!("../../../tests/ftd/golden/failover-history.txt");
        assert_eq!(
            last_change(text).as_deref(),
            Some("13:25:58 UTC Jul 18 2024: Bulk Sync -> Standby Ready (Detected an Active mate)")
        );
        assert_eq!(last_change("From State   To State   Reason\n=====\n"), None);
    }
}
