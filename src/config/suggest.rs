//! Did you mean …?
//!
//! Takes a word and the words that would have been right, gives the nearest one if it is near. Never more than one.

/// The nearest of `known`, where few enough letters differ.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    let near = known.map(|k| (distance(word, k), k)).min().filter(|(d, _)| *d <= most);
    near.map(|(_, k)| k)
}

/// Letters to insert, remove, change or swap (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["flows", "fragments", "flow_buffer_bytes", "head_bytes"];
        assert_eq!(nearest("flow", known.into_iter()), Some("flows"));
        assert_eq!(nearest("fragmnets", known.into_iter()), Some("fragments"));
        assert_eq!(nearest("header_bytes", known.into_iter()), Some("head_bytes"));
        assert_eq!(nearest("colour", known.into_iter()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }
}
