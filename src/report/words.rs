//! What findings and scarce sight are called.
//!
//! Takes kinds, gives names, titles and one-line explanations, the same on the terminal and on the page. Never says
//! more than traffic can show: "not seen" is not "not used".

use super::figures::{bytes, exact, moment, things};
use crate::base::Timestamp;
use crate::diff::FindingKind;
use crate::inventory::{BlindView, NamedBy, SightCounts, ValueType};
use crate::observe::Blindness;

/// How much attention a kind of finding asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Something answers that nobody described, or that should be gone.
    High,
    /// The description is wrong about something that is described.
    Middle,
    /// Worth knowing.
    Low,
}

impl Weight {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Middle => "medium",
            Self::Low => "low",
        }
    }
}

/// Kinds of findings, in the order in which they are shown.
pub const KINDS: [FindingKind; 9] = [
    FindingKind::UndocumentedService,
    FindingKind::Shadow,
    FindingKind::Zombie,
    FindingKind::UndocumentedMethod,
    FindingKind::UndocumentedStatus,
    FindingKind::UndocumentedQueryParameter,
    FindingKind::UndocumentedContentType,
    FindingKind::Ambiguous,
    FindingKind::Unseen,
];

/// The name in JSON and after `--fail-on`.
pub fn name(kind: FindingKind) -> &'static str {
    kind.name()
}

/// The heading over findings of one kind.
pub fn title(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::UndocumentedService => "Undocumented services",
        FindingKind::Shadow => "Shadow endpoints",
        FindingKind::UndocumentedMethod => "Undocumented methods",
        FindingKind::Zombie => "Zombie endpoints",
        FindingKind::UndocumentedStatus => "Undocumented statuses",
        FindingKind::UndocumentedQueryParameter => "Undocumented query parameters",
        FindingKind::UndocumentedContentType => "Undocumented content types",
        FindingKind::Unseen => "Documented, not seen",
        FindingKind::Ambiguous => "Ambiguous",
    }
}

/// What it means, in one line.
pub fn meaning(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::UndocumentedService => "traffic goes to a service that no document covers",
        FindingKind::Shadow => "called, and its path is in no document",
        FindingKind::UndocumentedMethod => "the path is documented, the method is not",
        FindingKind::Zombie => "documented as deprecated, and still called",
        FindingKind::UndocumentedStatus => "answers with a status that its document does not name",
        FindingKind::UndocumentedQueryParameter => "called with a query parameter that its document does not name",
        FindingKind::UndocumentedContentType => "sends or takes a media type that its document does not name",
        FindingKind::Unseen => "documented, and no call in the traffic seen here; other traffic may hold some",
        FindingKind::Ambiguous => "more than one documented operation fits equally well",
    }
}

/// How much attention it asks for.
pub fn weight(kind: FindingKind) -> Weight {
    match kind {
        FindingKind::UndocumentedService | FindingKind::Shadow | FindingKind::Zombie => Weight::High,
        FindingKind::UndocumentedMethod
        | FindingKind::UndocumentedStatus
        | FindingKind::UndocumentedQueryParameter
        | FindingKind::UndocumentedContentType => Weight::Middle,
        FindingKind::Unseen | FindingKind::Ambiguous => Weight::Low,
    }
}

/// A single word for a mark beside an endpoint.
pub fn mark(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::UndocumentedService | FindingKind::Shadow => "shadow",
        FindingKind::UndocumentedMethod => "method",
        FindingKind::Zombie => "zombie",
        FindingKind::UndocumentedStatus => "status",
        FindingKind::UndocumentedQueryParameter => "query",
        FindingKind::UndocumentedContentType => "type",
        FindingKind::Unseen => "unseen",
        FindingKind::Ambiguous => "ambiguous",
    }
}

/// What it means that a server is opaque.
pub const OPAQUE: &str = "Behind TLS or QUIC, without keys: what is called there is not in this inventory.";

/// What it means that something is blind.
pub const BLIND: &str = "Was on the wire, and can be neither read nor named.";

/// Why something is blind, after the name of its server.
pub fn blindness(why: Blindness) -> &'static str {
    match why {
        Blindness::OneSided => "one direction was never captured",
        Blindness::Gap => "only holes were seen",
        Blindness::Unknown => "no protocol that is known, or too little of it",
        Blindness::ResponsesOnly => "responses without their requests",
        Blindness::HeadsHidden => "HTTP/2 requests with hidden heads",
    }
}

/// Where the name of a server comes from.
pub fn named_by(by: NamedBy) -> &'static str {
    match by {
        NamedBy::Sni => "its clients (SNI)",
        NamedBy::Certificate => "its certificate",
        NamedBy::Address => "its address",
    }
}

/// How many services are how far in sight.
pub fn sights(sight: &SightCounts) -> String {
    let partly = if sight.partly > 0 { format!(", {} of them in part", exact(sight.partly)) } else { String::new() };
    format!(
        "{} inventoried{partly}; {} seen but opaque; {} blind",
        things(sight.inventoried, "service", "services"),
        exact(sight.opaque),
        exact(sight.blind)
    )
}

/// What is blind and stands in no row, in sentences.
pub fn blind_rest(blind: &BlindView) -> Vec<String> {
    let mut out = Vec::new();
    let mut known = Vec::new();
    if blind.known_connections > 0 {
        let connections = things(blind.known_connections, "connection", "connections");
        known.push(format!("{connections} with {}", bytes(blind.known_bytes)));
    }
    if blind.known_messages > 0 {
        known.push(things(blind.known_messages, "message", "messages"));
    }
    if !known.is_empty() {
        out.push(format!("Likewise at servers that are listed above: {}.", known.join(" and ")));
    }
    if blind.unattributed_bytes > 0 {
        out.push(format!("{} more belong to no server; the ledger has them by kind.", bytes(blind.unattributed_bytes)));
    }
    out
}

/// Until when a certificate holds, held against the time at which it was seen.
pub fn expiry(not_after: Option<i64>, seen: Timestamp) -> String {
    let Some(until) = not_after.and_then(|s| u64::try_from(s).ok()) else { return "–".to_owned() };
    let until = Timestamp(until.saturating_mul(1_000_000_000));
    let day = moment(until).get(..10).unwrap_or_default().to_owned();
    if until < seen { format!("{day} (had expired when it was seen)") } else { day }
}

/// The type of a JSON value, as JSON Schema names it.
pub fn value_type(kind: ValueType) -> &'static str {
    match kind {
        ValueType::String => "string",
        ValueType::Integer => "integer",
        ValueType::Number => "number",
        ValueType::Boolean => "boolean",
        ValueType::Null => "null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json_form() {
        for kind in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), name(kind));
        }
    }

    #[test]
    fn what_is_blind_beside_the_rows_is_told_and_nothing_of_nothing() {
        let blind = BlindView { known_messages: 1, unattributed_bytes: 2_000, ..BlindView::default() };
        assert_eq!(
            blind_rest(&blind),
            [
                "Likewise at servers that are listed above: 1 message.",
                "2.0 kB more belong to no server; the ledger has them by kind."
            ]
        );
        assert!(blind_rest(&BlindView::default()).is_empty());
    }

    #[test]
    fn expiry_is_held_against_the_time_of_the_traffic() {
        let seen = Timestamp::from_parts(1_795_505_457, 0);
        assert_eq!(expiry(Some(1_827_014_400), seen), "2027-11-24");
        assert_eq!(expiry(Some(1_700_000_000), seen), "2023-11-14 (had expired when it was seen)");
        assert_eq!((expiry(None, seen), expiry(Some(-5), seen)), ("–".to_owned(), "–".to_owned()));
        assert!(!expiry(Some(i64::MAX), seen).is_empty());
    }

    #[test]
    fn worse_kinds_come_first() {
        assert!(KINDS.windows(2).all(|k| weight(k[0]) <= weight(k[1])));
    }
}
