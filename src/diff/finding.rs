//! What the diff finds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// No document covers the service.
    UndocumentedService,
    /// The path is in no document (shadow API).
    Shadow,
    /// The path is documented, the method is not.
    UndocumentedMethod,
    /// The operation is documented as deprecated, and called (zombie API); or one of its query parameters is, and sent:
    /// then the subject names it.
    Zombie,
    /// The operation answered with a status that its document does not name.
    UndocumentedStatus,
    /// Calls carry a query parameter that the document does not name.
    UndocumentedQueryParameter,
    /// Requests or responses have a media type that the document does not name.
    UndocumentedContentType,
    /// The operation is documented and was not seen. Without a method: nothing of the whole document was.
    Unseen,
    /// More than one documented operation fits equally well.
    Ambiguous,
}

impl FindingKind {
    /// The stable name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::UndocumentedService => "undocumented-service",
            Self::Shadow => "shadow",
            Self::UndocumentedMethod => "undocumented-method",
            Self::Zombie => "zombie",
            Self::UndocumentedStatus => "undocumented-status",
            Self::UndocumentedQueryParameter => "undocumented-query-parameter",
            Self::UndocumentedContentType => "undocumented-content-type",
            Self::Unseen => "unseen",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// Does a finding of this kind answer to a question for another one? An undocumented service is a shadow API as a
    /// whole: its endpoints are not listed as shadows one by one, and who asks for shadows must hear of it.
    pub fn counts_as(self, asked: Self) -> bool {
        self == asked || (self == Self::UndocumentedService && asked == Self::Shadow)
    }

    /// Place in the order of a report, the worst first.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::UndocumentedService => 0,
            Self::Shadow => 1,
            Self::Zombie => 2,
            Self::UndocumentedMethod => 3,
            Self::UndocumentedStatus => 4,
            Self::UndocumentedQueryParameter => 5,
            Self::UndocumentedContentType => 6,
            Self::Ambiguous => 7,
            Self::Unseen => 8,
        }
    }
}

/// One difference, with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable across runs: `f-` and 16 hexadecimal digits of a hash of kind, service, method, path structure and subject.
    pub id: String,
    /// What kind.
    pub kind: FindingKind,
    /// The service, as its origin (`http://api.example:8080`).
    pub service: String,
    /// The service's id in the inventory, where it was seen.
    pub service_id: Option<String>,
    /// Method; `None` for a finding about a service.
    pub method: Option<String>,
    /// Path template; `None` for a finding about a service.
    pub template: Option<String>,
    /// What separates it from others of its path and method: `?Action=List`; absent for nearly all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The endpoint's id in the inventory, where it was seen.
    pub endpoint_id: Option<String>,
    /// What it is about within the endpoint: a status, a parameter's name, a media type.
    pub subject: Option<String>,
    /// One sentence for people, without the figures that stand in the fields below.
    pub message: String,
    /// Exchanges that show it (for an unseen operation: 0).
    pub calls: u64,
    /// First of them; 0 where there are none. For a status, a parameter or a media type: of the endpoint's calls, since
    /// the inventory keeps times by endpoint.
    pub first_seen: Timestamp,
    /// Last of them, likewise.
    pub last_seen: Timestamp,
    /// Calls of the whole service in the window: how much was looked at.
    pub service_calls: u64,
    /// Status codes of the calls, with counts; empty for a parameter or a media type, whose answers are not told apart.
    pub statuses: BTreeMap<u16, u64>,
    /// An example without values: `GET /users/{integer}?page={integer}`.
    pub example: Option<String>,
    /// Where the document says so: `petstore.yaml#/paths/~1pets/get`.
    pub document: Option<String>,
}

impl Finding {
    /// Template and operation, as people are shown them; `None` for a finding about a service.
    pub fn place(&self) -> Option<String> {
        let operation = self.operation.iter().map(|o| format!(" {o}"));
        self.template.as_ref().map(|template| template.clone() + &operation.collect::<String>())
    }
}

/// What one document is about and how it fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DocumentSummary {
    /// Title and version of the document.
    pub title: String,
    /// Version that the document states of itself; empty where it states none.
    pub version: String,
    /// File it was read from.
    pub source: String,
    /// Origins of the services that it was held against.
    pub services: Vec<String>,
    /// Operations documented.
    pub operations: u64,
    /// Of these, seen with at least one call.
    pub seen: u64,
    /// How the services were found, and what looks wrong about the document as a whole.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The result of holding an inventory against documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// The documents.
    pub documents: Vec<DocumentSummary>,
    /// The findings, worst first, then by service, path and method.
    pub findings: Vec<Finding>,
    /// Requests answered like nonsense, by service origin: probes, never shadow APIs.
    pub probes: BTreeMap<String, u64>,
}
