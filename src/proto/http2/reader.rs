//! Steps one direction through its frames.
//!
//! Takes bytes as they come and the lengths of holes, gives one [`Event`] at a time. DATA passes through as it is; of
//! other frames only those that matter are gathered, and only up to the bound. Never searches by itself: when it has
//! lost its place it says so, and is told where to go on.

use super::block::{self, Block};
use super::frame::{ACK, END_STREAM, Header, Kind, PADDED, SIZE};
use super::preface::CLIENT;

/// What some bytes said.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing that matters.
    Nothing,
    /// Body bytes of a stream, padding taken off; may be empty at its end.
    Data {
        /// Whose body.
        stream: u32,
        /// As they came.
        bytes: &'a [u8],
        /// The sender is done with the stream.
        end_stream: bool,
    },
    /// A header block is whole, or lost.
    Block {
        /// Whose message; of a promise, the stream that it came on.
        stream: u32,
        /// The stream that is promised (6.6), 0 where it is not known; `None` in HEADERS.
        promised: Option<u32>,
        /// The sender is done with the stream.
        end_stream: bool,
        /// The block; `None` where a part is missing or it is too large. The header table is unknown from here on.
        block: Option<&'a [u8]>,
    },
    /// RST_STREAM.
    Reset {
        /// Which stream.
        stream: u32,
        /// Why (7); 0 is NO_ERROR.
        code: u32,
    },
    /// SETTINGS; their payload.
    Settings(&'a [u8]),
    /// The other end's SETTINGS were taken.
    SettingsAck,
    /// GOAWAY.
    GoAway {
        /// The last stream of the other end that may have been looked at.
        last: u32,
    },
    /// This is not HTTP/2, or it is not any more: the other end would have closed the connection here.
    Broken,
}

/// How a hole was stepped over.
#[derive(Debug, PartialEq, Eq)]
pub enum Skipped {
    /// It lies within one frame.
    Within {
        /// Stream and number of the body bytes that are missing.
        data: Option<(u32, u64)>,
        /// What the frame says all the same.
        event: Event<'static>,
    },
    /// Where the next frame begins is not known.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the client's preface: bytes of it that have come.
    Preface(u8),
    /// In a frame's header.
    Header,
    /// At the padding length of DATA.
    Pad,
    /// In DATA: bytes of padding behind what is left.
    Data(u32),
    /// In a payload that is gathered.
    Gather,
    /// In a payload that is not.
    Skip,
    /// Nothing can be read any more.
    Broken,
}

/// One direction.
#[derive(Debug)]
pub struct Reader {
    state: State,
    header: Header,
    /// Bytes of the payload that have not come.
    left: u32,
    /// A header, or a payload that is not whole.
    buffer: Vec<u8>,
    block: Option<Block>,
    /// Fragments of the block.
    fragments: Vec<u8>,
    limit: usize,
    /// Blocks and frames that were over the limit, since somebody last asked.
    over: u32,
}

/// A buffer that one large block made larger than this is given back.
const KEPT: usize = 4096;

impl Reader {
    /// A reader of a direction whose beginning is here; `preface` when it is the client's. At most `limit` bytes of a
    /// frame, and of a header block, are gathered.
    pub fn new(preface: bool, limit: usize) -> Self {
        Self {
            state: if preface { State::Preface(0) } else { State::Header },
            header: Header::read(&[0; SIZE]),
            left: 0,
            buffer: Vec::new(),
            block: None,
            fragments: Vec::new(),
            limit,
            over: 0,
        }
    }

    /// Bytes of memory its buffers take.
    pub fn held(&self) -> usize {
        self.buffer.capacity() + self.fragments.capacity()
    }

    /// Blocks and frames that were over the limit since the last call.
    pub fn take_over(&mut self) -> u32 {
        std::mem::take(&mut self.over)
    }

    /// Lets go what is gathered: the block that is being received is lost.
    pub fn shed(&mut self) {
        if self.state == State::Gather {
            self.state = State::Skip;
        }
        if let Some(block) = &mut self.block {
            block.lost = true;
        }
        if self.state != State::Header {
            self.buffer = Vec::new();
        }
        self.fragments = Vec::new();
    }

    /// A frame begins here after all: what came before is over.
    pub fn resume(&mut self) {
        self.let_go();
        (self.state, self.left) = (State::Header, 0);
    }

    /// Nothing more can be read.
    pub fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Reads some of `bytes`, which must not be empty: how many, and what they said. A frame longer than `most` is none
    /// (4.2).
    #[inline]
    pub fn step<'a>(&'a mut self, bytes: &'a [u8], most: u32) -> (usize, Event<'a>) {
        match self.state {
            State::Header => self.header(bytes, most),
            State::Data(padding) => self.data(bytes, padding),
            State::Gather => self.gather(bytes),
            State::Skip => {
                let n = bytes.len().min(self.left as usize);
                self.left -= n as u32;
                (n, if self.left == 0 { self.skipped() } else { Event::Nothing })
            }
            State::Pad => self.pad(bytes),
            State::Preface(n) => self.preface(bytes, n),
            State::Broken => (bytes.len(), Event::Broken),
        }
    }

    #[cold]
    fn preface<'a>(&mut self, bytes: &[u8], have: u8) -> (usize, Event<'a>) {
        let expected = CLIENT.get(have as usize..).unwrap_or_default();
        let n = bytes.len().min(expected.len());
        if bytes.iter().zip(expected).any(|(a, b)| a != b) {
            return self.broken(bytes.len());
        }
        self.state = if n == expected.len() { State::Header } else { State::Preface(have + n as u8) };
        (n, Event::Nothing)
    }

    fn broken<'a>(&mut self, n: usize) -> (usize, Event<'a>) {
        self.state = State::Broken;
        self.let_go();
        (n, Event::Broken)
    }

    fn let_go(&mut self) {
        (self.buffer, self.fragments) = (Vec::new(), Vec::new());
        self.block = None;
    }

    #[inline]
    fn header(&mut self, bytes: &[u8], most: u32) -> (usize, Event<'_>) {
        if self.buffer.is_empty()
            && let Some(header) = bytes.first_chunk::<SIZE>()
        {
            return (SIZE, self.begin(Header::read(header), most));
        }
        let n = (SIZE - self.buffer.len()).min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..n]);
        let Some(header) = self.buffer.first_chunk::<SIZE>().map(Header::read) else { return (n, Event::Nothing) };
        self.buffer.clear();
        (n, self.begin(header, most))
    }

    /// A frame begins. (Also where a search has found one.)
    pub fn begin(&mut self, header: Header, most: u32) -> Event<'_> {
        if !header.is_valid()
            || !header.keeps_order(self.block.as_ref().map(|block| block.stream))
            || header.length > most
        {
            return self.broken(0).1;
        }
        (self.header, self.left) = (header, header.length);
        self.buffer.clear();
        match header.kind {
            Kind::Data if header.has(PADDED) && header.length == 0 => return self.broken(0).1,
            Kind::Data if header.has(PADDED) => self.state = State::Pad,
            Kind::Data if header.length == 0 => return self.data_ends(&[]),
            Kind::Data => self.state = State::Data(0),
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                if self.block.is_none() {
                    self.block = Some(Block::new(&header));
                    self.fragments.clear();
                    self.fragments.shrink_to(KEPT);
                }
                let over = self.fragments.len() + header.length as usize > self.limit;
                if let Some(block) = &mut self.block
                    && (over || block.lost)
                {
                    if !block.lost {
                        self.over += 1;
                    }
                    block.lost = true;
                    self.fragments = Vec::new();
                    self.state = State::Skip;
                } else {
                    self.state = State::Gather;
                }
            }
            Kind::Settings | Kind::Reset | Kind::GoAway if header.length as usize <= self.limit => {
                self.state = State::Gather;
            }
            Kind::Settings | Kind::Reset | Kind::GoAway => {
                self.over += 1;
                self.state = State::Skip;
            }
            Kind::Priority | Kind::Ping | Kind::WindowUpdate | Kind::Unknown => self.state = State::Skip,
        }
        if header.length > 0 {
            return Event::Nothing;
        }
        self.state = State::Header;
        match header.kind {
            Kind::Settings if header.has(ACK) => Event::SettingsAck,
            Kind::Settings => Event::Settings(&[]),
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                if header.kind != Kind::Continuation && header.has(PADDED | super::frame::PRIORITY) {
                    return self.broken(0).1;
                }
                self.fragment_came(None)
            }
            _ => Event::Nothing,
        }
    }

    fn told<'a>(block: &Block, bytes: Option<&'a [u8]>) -> Event<'a> {
        Event::Block {
            stream: block.stream,
            promised: block.push.then_some(block.promised.unwrap_or(0)),
            end_stream: block.end_stream,
            block: bytes,
        }
    }

    fn pad<'a>(&mut self, bytes: &'a [u8]) -> (usize, Event<'a>) {
        let padding = bytes.first().copied().unwrap_or(0);
        self.left -= 1;
        if u32::from(padding) > self.left {
            return self.broken(bytes.len());
        }
        if self.left == 0 {
            return (1, self.data_ends(&[]));
        }
        self.state = State::Data(u32::from(padding));
        (1, Event::Nothing)
    }

    #[inline]
    fn data<'a>(&mut self, bytes: &'a [u8], padding: u32) -> (usize, Event<'a>) {
        let n = bytes.len().min(self.left as usize);
        let data = n.min(self.left.saturating_sub(padding) as usize);
        self.left -= n as u32;
        let bytes = &bytes[..data];
        if self.left == 0 {
            return (n, self.data_ends(bytes));
        }
        (n, Event::Data { stream: self.header.stream, bytes, end_stream: false })
    }

    fn data_ends<'a>(&mut self, bytes: &'a [u8]) -> Event<'a> {
        self.state = State::Header;
        Event::Data { stream: self.header.stream, bytes, end_stream: self.header.has(END_STREAM) }
    }

    /// A payload that was skipped is over.
    fn skipped<'a>(&mut self) -> Event<'a> {
        self.state = State::Header;
        match self.header.kind {
            Kind::Data => self.data_ends(&[]),
            Kind::Headers | Kind::PushPromise | Kind::Continuation if block::ends(&self.header) => {
                self.block.take().map_or(Event::Nothing, |block| Self::told(&block, None))
            }
            _ => Event::Nothing,
        }
    }

    fn gather<'a>(&'a mut self, bytes: &'a [u8]) -> (usize, Event<'a>) {
        let n = bytes.len().min(self.left as usize);
        self.left -= n as u32;
        if self.left > 0 {
            self.buffer.extend_from_slice(&bytes[..n]);
            return (n, Event::Nothing);
        }
        self.state = State::Header;
        if self.buffer.is_empty() {
            return (n, self.payload(&bytes[..n]));
        }
        self.buffer.extend_from_slice(&bytes[..n]);
        let payload = std::mem::take(&mut self.buffer);
        // The buffer goes into the place from which the event can borrow it.
        (n, self.payload_gathered(payload))
    }

    /// A payload that came in pieces.
    fn payload_gathered(&mut self, payload: Vec<u8>) -> Event<'_> {
        match self.header.kind {
            Kind::Headers | Kind::PushPromise | Kind::Continuation => {
                let Some((fragment, promised)) = block::fragment(&self.header, &payload) else {
                    return self.broken(0).1;
                };
                self.fragments.extend_from_slice(fragment);
                self.fragment_came(promised)
            }
            kind => {
                self.fragments = payload;
                Self::control(kind, &self.header, &self.fragments)
            }
        }
    }

    /// A payload that lies in the input.
    fn payload<'a>(&'a mut self, payload: &'a [u8]) -> Event<'a> {
        if !matches!(self.header.kind, Kind::Headers | Kind::PushPromise | Kind::Continuation) {
            return Self::control(self.header.kind, &self.header, payload);
        }
        let Some((fragment, promised)) = block::fragment(&self.header, payload) else { return self.broken(0).1 };
        if self.fragments.is_empty()
            && block::ends(&self.header)
            && let Some(mut block) = self.block.take()
        {
            block.promised = block.promised.or(promised);
            return Self::told(&block, Some(fragment));
        }
        self.fragments.extend_from_slice(fragment);
        self.fragment_came(promised)
    }

    fn fragment_came(&mut self, promised: Option<u32>) -> Event<'_> {
        if let Some(block) = &mut self.block {
            block.promised = block.promised.or(promised);
        }
        if !block::ends(&self.header) {
            return Event::Nothing;
        }
        match self.block.take() {
            Some(block) => Self::told(&block, (!block.lost).then_some(self.fragments.as_slice())),
            None => Event::Nothing,
        }
    }

    fn control<'a>(kind: Kind, header: &Header, payload: &'a [u8]) -> Event<'a> {
        let number = |at: usize| {
            payload.get(at..).and_then(|rest| rest.first_chunk::<4>()).map(|four| u32::from_be_bytes(*four))
        };
        match kind {
            Kind::Settings => Event::Settings(payload),
            Kind::Reset => number(0).map_or(Event::Nothing, |code| Event::Reset { stream: header.stream, code }),
            Kind::GoAway => number(0).map_or(Event::Nothing, |last| Event::GoAway { last: last & 0x7fff_ffff }),
            _ => Event::Nothing,
        }
    }

    /// Steps over a hole.
    pub fn gap(&mut self, len: u64) -> Skipped {
        let nothing = Skipped::Within { data: None, event: Event::Nothing };
        let inside = len <= u64::from(self.left) && !matches!(self.state, State::Header | State::Preface(_));
        if self.state == State::Broken {
            return nothing;
        }
        if !inside {
            self.let_go();
            return Skipped::Lost;
        }
        let missing = len as u32;
        let padding = match self.state {
            // The padding's length is in the hole: what is missing is not more than this.
            State::Pad => Some(0),
            State::Data(padding) => Some(padding),
            _ => None,
        };
        if let Some(padding) = padding {
            let data = missing.min(self.left.saturating_sub(padding));
            self.left -= missing;
            self.state = State::Data(padding.min(self.left));
            let event = if self.left == 0 { self.data_ends(&[]) } else { Event::Nothing };
            return Skipped::Within { data: Some((self.header.stream, u64::from(data))), event };
        }
        self.left -= missing;
        self.buffer.clear();
        if let Some(block) = &mut self.block {
            block.lost = true;
            self.fragments = Vec::new();
        }
        self.state = State::Skip;
        let event = if self.left == 0 { self.skipped() } else { Event::Nothing };
        Skipped::Within { data: None, event }
    }
}
