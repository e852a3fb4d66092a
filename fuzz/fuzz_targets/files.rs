//! Readers of capture files. Law: the frames do not depend on how the bytes arrive, and each lies within the file.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use shadowtap::wire::file::Reader;

/// Gives a few bytes at a time, and not always as many.
struct Trickle<'a> {
    rest: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.step = self.step * 7 % 61 + 1;
        let n = self.step.min(buffer.len()).min(self.rest.len());
        buffer[..n].copy_from_slice(&self.rest[..n]);
        self.rest = &self.rest[n..];
        Ok(n)
    }
}

/// Each frame, and whether the file ended in an error. The words of an error may depend on how much was there to look at.
type Frames = (Vec<(u64, u16, Vec<u8>, u32)>, bool);

fn read(source: impl Read) -> Frames {
    let mut frames = Vec::new();
    let mut reader = match Reader::open("capture", source) {
        Ok(reader) => reader,
        Err(_) => return (frames, true),
    };
    let error = loop {
        match reader.next() {
            Ok(Some(frame)) => frames.push((frame.ts.0, frame.link.0, frame.data.to_vec(), frame.wire_len)),
            Ok(None) => break false,
            Err(_) => {
                assert!(matches!(reader.next(), Ok(None)), "goes on after an error");
                break true;
            }
        }
    };
    (frames, error)
}

fuzz_target!(|data: &[u8]| {
    let whole = read(data);
    assert!(whole.0.iter().map(|f| f.2.len()).sum::<usize>() <= data.len(), "more bytes than the file has");
    assert_eq!(whole, read(Trickle { rest: data, step: data.len() % 60 }));
});
