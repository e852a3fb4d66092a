//! Rules that people pin: they win over what was learnt.
//!
//! Takes a host, a path and what holds there, gives a rule that the learner obeys, for all that was ever seen. Never says anything
//! of single values: where the form of a value says what it is, its text is not kept, and no rule can bring it back.

/// What holds at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    /// The last segment is a literal, whatever it looks like.
    Literal,
    /// The last segment is a parameter's value.
    Parameter,
    /// Nothing at this path and below it is an API: it counts as probed.
    Ignore,
    /// All that is below this path is one endpoint (`{path*}`).
    One,
    /// The hosts are one API, whatever they answer.
    OneApi,
    /// Each of the hosts is an API of its own.
    Apart,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Hosts for which it holds: `*` and `?` stand for any characters, empty for all.
    host: String,
    /// By segment; `None` for any.
    path: Vec<Option<String>>,
    kind: RuleKind,
}

impl Rule {
    /// A rule for a path such as `/users/*/orders`: `*` (or a parameter, `{userId}`) stands for one segment.
    ///
    /// # Errors
    /// A path that does not begin with a slash, or has no segment where one is needed.
    pub fn new(host: &str, path: &str, kind: RuleKind) -> Result<Self, String> {
        let Some(rest) = path.strip_prefix('/') else { return Err(format!("{path:?} does not begin with a slash")) };
        let segments: Vec<_> = rest.split('/').filter(|s| !s.is_empty()).map(wanted).collect();
        let of_hosts = matches!(kind, RuleKind::OneApi | RuleKind::Apart);
        if of_hosts && (host.is_empty() || !segments.is_empty()) {
            return Err("the rule is about hosts: it needs `host` and no path".to_owned());
        }
        if segments.is_empty() && kind != RuleKind::One && !of_hosts {
            return Err("the rule needs a path with at least one segment".to_owned());
        }
        Ok(Self { host: host.to_ascii_lowercase(), path: segments, kind })
    }

    pub(super) fn is(&self, kind: RuleKind) -> bool {
        self.kind == kind
    }

    pub(super) fn holds_for(&self, host: &str) -> bool {
        self.host.is_empty() || glob(self.host.as_bytes(), host.as_bytes())
    }

    /// What it says of the whole path that these segments are, `None` being a parameter.
    pub(super) fn of_path<'t>(&self, segments: impl ExactSizeIterator<Item = Option<&'t str>>) -> Option<RuleKind> {
        let fits = |(wanted, segment): (&Option<String>, Option<&str>)| match (wanted, segment) {
            (None, _) => true,
            (Some(wanted), Some(text)) => wanted.eq_ignore_ascii_case(text),
            (Some(_), None) => false,
        };
        let of_hosts = matches!(self.kind, RuleKind::OneApi | RuleKind::Apart);
        (!of_hosts && segments.len() == self.path.len() && self.path.iter().zip(segments).all(fits))
            .then_some(self.kind)
    }
}

fn wanted(segment: &str) -> Option<String> {
    (segment != "*" && !(segment.starts_with('{') && segment.ends_with('}'))).then(|| segment.to_owned())
}

/// Does a text fit a pattern in which `*` stands for any characters, `?` for one?
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    // The last star, and how much of the text it has taken.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_for_hosts_and_paths() {
        let rule = Rule::new("*.Example.com", "/users/{id}/me", RuleKind::Literal).expect("a rule");
        assert!(rule.holds_for("api.example.com") && !rule.holds_for("example.org") && !rule.holds_for("example.com"));
        let of = |path: &[Option<&str>]| rule.of_path(path.iter().copied());
        assert_eq!(of(&[Some("Users"), None, Some("me")]), Some(RuleKind::Literal));
        assert_eq!(of(&[Some("users"), Some("x"), Some("me")]), Some(RuleKind::Literal));
        assert_eq!(of(&[Some("users"), None]), None);
        assert_eq!(of(&[Some("users"), None, None]), None);
        assert!(Rule::new("", "users", RuleKind::Ignore).is_err() && Rule::new("", "/", RuleKind::Ignore).is_err());
        assert!(Rule::new("", "/", RuleKind::One).is_ok());
        assert!(Rule::new("", "/", RuleKind::OneApi).is_err() && Rule::new("a", "/x", RuleKind::Apart).is_err());
        let hosts = Rule::new("*.example.com", "/", RuleKind::OneApi).expect("a rule");
        assert_eq!(hosts.of_path([].into_iter()), None);
    }

    #[test]
    fn patterns_of_hosts() {
        assert!(glob(b"a*c?", b"abbcd") && glob(b"*", b"") && glob(b"tenant-??.x", b"tenant-17.x"));
        assert!(!glob(b"a*c", b"abcd") && !glob(b"", b"a") && !glob(b"?", b""));
    }
}
