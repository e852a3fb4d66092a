//! SETTINGS (RFC 9113, 6.5).
//!
//! Takes the payload of a SETTINGS frame, gives the settings that a bystander has to know. Never keeps them.

/// A setting that matters to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// SETTINGS_HEADER_TABLE_SIZE: how large the other end may make its dynamic table.
    HeaderTableSize(u32),
    /// SETTINGS_MAX_FRAME_SIZE: how long the other end's frames may be.
    MaxFrameSize(u32),
}

/// Each setting that matters, in order.
pub fn settings(payload: &[u8]) -> impl Iterator<Item = Setting> + '_ {
    payload.as_chunks::<6>().0.iter().filter_map(|&[a, b, value @ ..]| {
        let value = u32::from_be_bytes(value);
        match u16::from_be_bytes([a, b]) {
            1 => Some(Setting::HeaderTableSize(value)),
            5 if (super::FRAME_SIZE..1 << 24).contains(&value) => Some(Setting::MaxFrameSize(value)),
            _ => None,
        }
    })
}
