//! The change log's records in the store.
//!
//! Takes what changed, gives records: one for each entry, one for each template that is published, one for each service; takes
//! them back. Their content is JSON, so that later versions may add to it. Never trusts what it reads.

use serde::{Deserialize, Serialize};

use super::{Dirty, History, Published, TemplateChange, Was};
use crate::base::Timestamp;

/// First bytes of keys: an entry, a published template, a service that has some.
const ENTRY: u8 = b'c';
const TEMPLATE: u8 = b't';
const SERVICE: u8 = b'p';

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ServiceRecord {
    until: Timestamp,
    calls: u64,
}

/// Is a key one of the change log's?
pub(in crate::inventory) fn is_key(key: &[u8]) -> bool {
    matches!(key.first(), Some(&(ENTRY | TEMPLATE | SERVICE)))
}

fn key(mark: u8, numbers: &[u64]) -> Vec<u8> {
    std::iter::once(mark).chain(numbers.iter().flat_map(|n| n.to_be_bytes())).collect()
}

fn json(record: Option<&impl Serialize>) -> Option<Vec<u8>> {
    // Writing to a vector fails for none of these; what would be empty would be refused when read.
    record.map(|record| serde_json::to_vec(record).unwrap_or_default())
}

impl History {
    /// The records that changed since the last call.
    pub(in crate::inventory) fn take_changes(&mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let dirty = std::mem::take(&mut self.dirty);
        let record = |dirty: Dirty| match dirty {
            Dirty::Service(service) => {
                let record = self.published.get(&service).map(|p| ServiceRecord { until: p.until, calls: p.calls });
                (key(SERVICE, &[service]), json(record.as_ref()))
            }
            Dirty::Template(service, id) => {
                let was = self.published.get(&service).and_then(|p| p.templates.get(&id));
                (key(TEMPLATE, &[service, id]), json(was))
            }
            Dirty::Entry(number) => (key(ENTRY, &[number]), json(self.entries.get(&number))),
        };
        dirty.into_iter().map(record).collect()
    }

    /// Takes a record back.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::inventory) fn restore(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let (numbers, rest) = key.get(1..).unwrap_or_default().as_chunks::<8>();
        let numbers: Vec<u64> = numbers.iter().map(|n| u64::from_be_bytes(*n)).collect();
        match (key.first(), numbers.as_slice(), rest) {
            (Some(&ENTRY), [number], []) => {
                let entry: TemplateChange = serde_json::from_slice(value).map_err(|e| e.to_string())?;
                self.entries.insert(*number, entry);
                self.next = self.next.max(number.saturating_add(1));
            }
            (Some(&TEMPLATE), [service, id], []) => {
                let was: Was = serde_json::from_slice(value).map_err(|e| e.to_string())?;
                self.published.entry(*service).or_default().templates.insert(*id, was);
            }
            (Some(&SERVICE), [service], []) => {
                let record: ServiceRecord = serde_json::from_slice(value).map_err(|e| e.to_string())?;
                let published = self.published.entry(*service).or_default();
                (published.until, published.calls) = (record.until, record.calls);
            }
            _ => return Err("not a key of ours".to_owned()),
        }
        Ok(())
    }

    /// All records were taken back, those of these services among them: what the log has nothing of it begins with, and what it has
    /// of services that are not there is let go.
    pub(in crate::inventory) fn restored(&mut self, services: &[u64]) {
        let known = |p: &Published| p.until > Timestamp(0);
        self.adopted.extend(services.iter().filter(|s| !self.published.get(s).is_some_and(known)));
        let there: std::collections::BTreeSet<_> = services.iter().collect();
        let gone: Vec<u64> = self.published.keys().filter(|s| !there.contains(s)).copied().collect();
        gone.into_iter().for_each(|service| self.forget(service));
    }
}
