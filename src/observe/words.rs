//! What is said in an exchange that is made of messages.
//!
//! Takes the texts of a WebSocket, or fields that were found elsewhere; gives fields by their place and form, with messages. Looks
//! at the first messages of a side one by one and at a sample of those behind. Never keeps a value.

use std::collections::BTreeMap;

use super::skeleton::Skeleton;
use super::{Field, Kind};
use crate::proto::websocket::Piece;

/// Messages of one side whose fields are looked at one by one; of those behind, one in [`SAMPLE`] is.
const ALL_OF: u64 = 256;
const SAMPLE: u64 = 16;
/// Fields of a connection that wait to be told.
const FIELDS: usize = 128;

/// What is said in one exchange. Of pairs the first is the client's.
#[derive(Clone, Debug)]
pub(super) struct Words {
    skeletons: [Skeleton; 2],
    /// Text messages that are over.
    count: [u64; 2],
    /// Messages by side, place and form of a field, since they were last told.
    pub(super) fields: BTreeMap<(bool, String, Kind), u64>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self { skeletons: [Skeleton::new(), Skeleton::new()], count: [0; 2], fields: BTreeMap::new() }
    }

    /// The fields, as an observation has them.
    pub(super) fn told(&self) -> Vec<Field<'_>> {
        let told = self.fields.iter();
        told.map(|((server, path, kind), messages)| Field { server: *server, path, kind: *kind, messages: *messages })
            .collect()
    }

    /// A piece of a text message.
    pub(super) fn hear(&mut self, server: bool, piece: Piece<'_>) {
        let side = usize::from(server);
        let number = self.count[side];
        let looks = number < ALL_OF || number.is_multiple_of(SAMPLE);
        match piece {
            Piece::Text(bytes) if looks => self.skeletons[side].push(bytes),
            Piece::Text(_) => {}
            Piece::End => {
                self.count[side] += 1;
                let fields = &mut self.fields;
                self.skeletons[side].end(|path, kind| {
                    let key = (server, path.to_owned(), kind);
                    let room = fields.len() < FIELDS;
                    if let Some(count) = fields.get_mut(&key) {
                        *count += 1;
                    } else if room {
                        fields.insert(key, 1);
                    }
                });
            }
        }
    }
}
