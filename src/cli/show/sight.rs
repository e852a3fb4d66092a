//! The visibility ledger: where each captured byte went, and what was not seen.

use super::heading;
use crate::base::{Ledger, Oddities};
use crate::console::{Align, Screen, Table, Tone};
use crate::report::figures::{bytes, exact, percent, things};
use crate::report::{Coverage, Sight};

/// Said where many packets came twice.
const MIRRORED_TWICE: &str = "Packets are mirrored twice. Each is counted once, but takes its room on the mirror twice; `shadowtap doctor` says more.";

/// The ledger as a bar and a table, what is missing, what is odd.
pub(crate) fn sight(ledger: &Ledger, oddities: &Oddities, screen: &Screen) -> String {
    let tones = screen.tones;
    let coverage = Coverage::of(ledger);
    let mut out = String::new();
    heading(&mut out, tones, "What was seen");
    out.push_str(&format!(
        "\n  {}, {} captured\n",
        things(coverage.packets, "packet", "packets"),
        bytes(coverage.captured)
    ));
    if coverage.captured > 0 {
        out.push_str(&format!("  {}\n", bar(&coverage, screen)));
    }
    let mut table = Table::new(&[Align::Left, Align::Left, Align::Right, Align::Right], 1, 2);
    for share in &coverage.shares {
        table.row(vec![
            tones.paint(tone(share.sight), glyph(share.sight)),
            share.words.to_owned(),
            bytes(share.bytes),
            percent(share.bytes, coverage.captured),
        ]);
    }
    if coverage.open > 0 {
        table.row(vec![
            String::new(),
            "connections still open".to_owned(),
            bytes(coverage.open),
            percent(coverage.open, coverage.captured),
        ]);
    }
    out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    if oddities.mirrored_twice(ledger.packets) {
        out.push_str(&format!("\n  {} {}\n", tones.paint(Tone::Warn, "▸"), MIRRORED_TWICE));
    }
    if !coverage.missing.is_empty() || !coverage.blind.is_empty() {
        heading(&mut out, tones, "Not seen");
        out.push('\n');
        let mut list = Table::new(&[Align::Left, Align::Left], 1, 2);
        for line in &coverage.missing {
            list.row(vec![tones.paint(Tone::Bad, "▸"), format!("{line}.")]);
        }
        for line in &coverage.blind {
            list.row(vec![tones.paint(Tone::Warn, "▸"), line.clone()]);
        }
        out.push_str(&list.render(screen.width, |_, text| text.to_owned()));
    }
    let mut odd = Table::new(&[Align::Right, Align::Left], 1, 2);
    for (oddity, n) in oddities.seen() {
        odd.row(vec![exact(n), oddity.words().to_owned()]);
    }
    if !odd.is_empty() {
        heading(&mut out, tones, "Oddities");
        out.push('\n');
        out.push_str(&odd.render(screen.width, |_, text| text.to_owned()));
    }
    out
}

fn tone(sight: Sight) -> Tone {
    match sight {
        Sight::Read => Tone::Good,
        Sight::Overhead | Sight::Other => Tone::Quiet,
        Sight::Opaque => Tone::Warn,
        Sight::Lost => Tone::Bad,
    }
}

/// Told apart without colours, too.
fn glyph(sight: Sight) -> &'static str {
    match sight {
        Sight::Read => "█",
        Sight::Overhead => "░",
        Sight::Other => "▒",
        Sight::Opaque => "▓",
        Sight::Lost => "×",
    }
}

/// A bar of one line; what is there takes at least one column.
fn bar(coverage: &Coverage, screen: &Screen) -> String {
    let columns = screen.width.saturating_sub(4).clamp(20, 72);
    let mut kinds: Vec<(Sight, u64)> = Vec::new();
    for share in &coverage.shares {
        match kinds.last_mut() {
            Some((sight, bytes)) if *sight == share.sight => *bytes += share.bytes,
            _ => kinds.push((share.sight, share.bytes)),
        }
    }
    let mut widths: Vec<usize> = kinds
        .iter()
        .map(|(_, bytes)| ((*bytes as f64 / coverage.captured as f64 * columns as f64).round() as usize).max(1))
        .collect();
    // Rounding may leave the bar a little long or short: the widest part takes the difference.
    let sum: usize = widths.iter().sum();
    if let Some(widest) = widths.iter_mut().max() {
        *widest = (*widest + columns).saturating_sub(sum).max(1);
    }
    kinds
        .iter()
        .zip(&widths)
        .map(|((sight, _), w)| screen.tones.paint(tone(*sight), &glyph(*sight).repeat(*w)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::width;
    use crate::report::sample;

    fn text(columns: usize) -> String {
        let view = sample::view();
        sight(&view.visibility, &view.oddities, &Screen::plain(columns))
    }

    #[test]
    fn each_part_is_named() {
        let text = text(100);
        for words in [
            "read as HTTP",
            "61.0 MB  63.2 %",
            "TLS, not readable",
            "12 packets dropped",
            "61.0 kB sent but",
            "A hole in a stream.",
        ] {
            assert!(text.contains(words), "no {words} in {text}");
        }
    }

    #[test]
    fn the_bar_is_as_wide_as_it_should_be() {
        let text = text(60);
        let bar = text.lines().find(|l| l.contains('█')).unwrap();
        assert_eq!(width(bar), 2 + 56);
        assert!(bar.ends_with('×'), "a small loss is visible: {bar}");
        assert!(text.lines().all(|l| width(l) <= 60), "{text}");
    }

    #[test]
    fn nothing_captured_is_said() {
        let text = sight(&Ledger::default(), &Oddities::default(), &Screen::plain(80));
        assert!(text.contains("Nothing was captured"));
    }
}
