//! The few things that all charts need.

/// The width of every chart in its own units.
pub(super) const WIDTH: f64 = 900.0;
/// Room for the labels of the vertical axis.
pub(super) const LEFT: f64 = 52.0;

/// Text that can stand in HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A chart of the given height; `label` is for those who do not see it.
pub(super) fn chart(height: f64, label: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>\n",
        escape(label)
    )
}

/// A filled rectangle of a class.
pub(super) fn rect(class: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" \
         height=\"{height:.2}\"/>\n"
    )
}

/// A straight line of a class.
pub(super) fn line(class: &str, x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!(
        "<line class=\"{class}\" x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\"/>\n"
    )
}

/// Text of a class, placed by its `anchor` (`start`, `middle` or `end`).
pub(super) fn text(class: &str, anchor: &str, x: f64, y: f64, text: &str) -> String {
    format!(
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.2}\" y=\"{y:.2}\">{}</text>\n",
        escape(text)
    )
}

/// What a colour means: squares of classes with a word each.
pub(super) fn legend(entries: &[(&str, &str)]) -> String {
    let entries: String = entries
        .iter()
        .map(|(class, word)| {
            format!(
                "<span><svg class=\"key\" viewBox=\"0 0 12 12\">{}</svg>{}</span>\n",
                rect(class, 0.0, 0.0, 12.0, 12.0).trim_end(),
                escape(word)
            )
        })
        .collect();
    format!("<p class=\"legend\">\n{entries}</p>\n")
}

/// Round values from zero to just above `largest`, about five of them.
pub(super) fn ticks(largest: f64) -> Vec<f64> {
    let rough = (largest / 5.0).max(1e-9);
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let count = (largest / step).ceil().max(1.0) as usize;
    (0..=count).map(|i| i as f64 * step).collect()
}

/// `35000` as `35k`.
pub(super) fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{v}"),
    }
}

/// The horizontal lines of an axis from `top` (the largest tick) to `bottom` (zero).
pub(super) fn grid(ticks: &[f64], top: f64, bottom: f64) -> String {
    let largest = ticks.last().copied().unwrap_or(1.0);
    ticks
        .iter()
        .map(|tick| {
            let y = bottom - (bottom - top) * tick / largest;
            line("grid", LEFT, y, WIDTH, y)
                + &text("axis", "end", LEFT - 8.0, y + 4.0, &short(*tick))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_largest_value() {
        assert_eq!(
            ticks(37_000.0),
            [0.0, 10_000.0, 20_000.0, 30_000.0, 40_000.0]
        );
        assert_eq!(ticks(41_000.0).len(), 6);
        assert_eq!(ticks(0.0).len(), 2);
        for largest in [1.0, 3.0, 99.0, 12_345.0, 7.7e6] {
            let ticks = ticks(largest);
            assert!(
                ticks.last().is_some_and(|last| *last >= largest),
                "{ticks:?}"
            );
            assert!((2..=7).contains(&ticks.len()), "{ticks:?}");
        }
    }

    #[test]
    fn nothing_breaks_out_of_the_page() {
        assert_eq!(escape("<a b=\"c\">&"), "&lt;a b=&quot;c&quot;&gt;&amp;");
    }
}
