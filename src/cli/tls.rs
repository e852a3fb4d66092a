//! `shadowtap tls`: the TLS sessions of one capture.
//!
//! Takes what the handshakes told, gives a line of JSON for each session with a ClientHello, by the time of their first
//! bytes. Keeps nothing on disk.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use serde::Serialize;

use super::args::Tls;
use super::exit::Failure;
use super::interrupt::{INTERRUPTED, Interrupt};
use super::lines::{Lines, Waiting};
use super::{keys, reading};
use crate::base::Limits;
use crate::console::Progress;
use crate::exchange::{Observer, Outcome, QuicFlow, Sides, TlsSession, TlsStage, Turns};
use crate::pipeline::Pipeline;
use crate::proto::tls::fingerprint::{Carrier, ja3s, ja4};
use crate::proto::tls::session::Facts;
use crate::proto::tls::{Certificate, is_grease};
use crate::proto::{RequestHead, ResponseHead};
use crate::stream::Connection;

/// Bytes gathered before they are written.
const BUFFER: usize = 64 << 10;

/// Runs it.
pub(crate) fn run(args: &Tls) -> Result<ExitCode, Failure> {
    let filter = reading::filter_text(&args.filter);
    let mut files = reading::open(std::slice::from_ref(&args.file), filter.as_deref())?;
    let out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let waiting = if args.file.as_os_str() == "-" { Waiting::AT_ONCE } else { Waiting::SORTED };
    let mut pipeline = Pipeline::new(Sessions { lines: Lines::new(out, waiting) }, &Limits::default());
    keys::load(&args.keys, pipeline.keys())?;
    let interrupt = Interrupt::new()?;
    let progress = Progress::hidden();
    let read = reading::feed(&mut files, &mut pipeline, &progress, &interrupt, |sessions| sessions.lines.failed())?;
    pipeline.into_observer().lines.end()?;
    Ok(match (read.failed, read.interrupted) {
        (true, _) => ExitCode::FAILURE,
        (_, true) => ExitCode::from(INTERRUPTED),
        _ => ExitCode::SUCCESS,
    })
}

/// Writes sessions as lines.
struct Sessions<W> {
    lines: Lines<W>,
}

/// The line. Times of certificates are seconds since 1970.
#[derive(Serialize)]
struct Line<'a> {
    ts: String,
    transport: &'a str,
    client: String,
    server: String,
    sni: Option<&'a str>,
    alpn: &'a [String],
    version: Option<String>,
    quic_version: Option<String>,
    suite: Option<String>,
    alpn_chosen: Option<&'a str>,
    versions: Vec<String>,
    suites: Vec<String>,
    groups: Vec<u16>,
    signature_algorithms: Vec<String>,
    ech: bool,
    truncated: bool,
    ja4: String,
    ja3s: Option<String>,
    certificate: Option<Shown<'a>>,
    certificate_requested: bool,
    client_certificate: Option<Shown<'a>>,
    retried: bool,
    resumed: bool,
    early_data: Option<bool>,
    decrypted: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    subject: &'a str,
    issuer: &'a str,
    names: &'a [String],
    not_before: Option<i64>,
    not_after: Option<i64>,
}

impl<'a> Shown<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        let Certificate { subject, issuer, names, not_before, not_after, .. } = certificate;
        Self { subject, issuer, names, not_before: *not_before, not_after: *not_after }
    }
}

impl<W: Write> Sessions<W> {
    fn line<'a>(session: &TlsSession<'a>) -> Option<Line<'a>> {
        let (facts, hello) = (session.facts, session.facts.client.as_ref()?);
        let server = facts.server.as_deref();
        Some(Line {
            ts: session.opened.to_string(),
            transport: match session.carrier {
                Carrier::Tcp => "tcp",
                Carrier::Quic => "quic",
            },
            client: session.sides.client.to_string(),
            server: session.sides.server.to_string(),
            sni: hello.sni.as_deref(),
            alpn: &hello.alpn,
            version: server.map(|hello| hello.version.to_string()),
            quic_version: None,
            suite: server.map(|hello| hello.suite.to_string()),
            alpn_chosen: facts.alpn.as_deref(),
            versions: hello.versions.iter().filter(|v| !is_grease(v.0)).map(|v| v.to_string()).collect(),
            suites: hello.suites.iter().filter(|s| !is_grease(s.0)).map(|s| s.to_string()).collect(),
            groups: hello.groups.iter().copied().filter(|n| !is_grease(*n)).collect(),
            signature_algorithms: hello.signature_algorithms.iter().map(|n| format!("0x{n:04x}")).collect(),
            ech: hello.ech,
            truncated: hello.truncated,
            ja4: ja4(hello, session.carrier),
            ja3s: server.map(ja3s),
            certificate: facts.certificate.as_deref().map(Shown::of),
            certificate_requested: facts.certificate_requested,
            client_certificate: facts.client_certificate.as_deref().map(Shown::of),
            retried: facts.retried,
            resumed: facts.resumed,
            early_data: facts.early_data,
            decrypted: session.decrypted,
        })
    }
}

impl<W: Write> Observer for Sessions<W> {
    type Request = ();

    fn request(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}

    fn response(&mut self, (): &mut (), _: &ResponseHead<'_>) {}

    fn tls(&mut self, _: &Connection, session: &TlsSession<'_>) {
        if session.stage == TlsStage::Over
            && let Some(line) = Self::line(session)
        {
            self.lines.take(session.opened, serde_json::to_string(&line));
        }
    }

    fn quic_hello(&mut self, flow: &QuicFlow) {
        if let Some(hello) = &flow.hello {
            let facts = Facts { client: Some(hello.clone()), ..Facts::default() };
            let session = TlsSession {
                number: 0,
                stage: TlsStage::Over,
                sides: Sides { client: flow.client, server: flow.server, secure: true },
                carrier: Carrier::Quic,
                opened: flow.first,
                last: flow.last,
                facts: &facts,
                decrypted: false,
                settled: true,
                client_bytes: flow.bytes[0],
                server_bytes: flow.bytes[1],
                turns: Turns::default(),
            };
            if let Some(mut line) = Self::line(&session) {
                (line.quic_version, line.retried) = (Some(format!("0x{:08x}", flow.version)), flow.retried);
                self.lines.take(flow.first, serde_json::to_string(&line));
            }
        }
    }

    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}

    fn finish(&mut self, _: &Connection, (): (), _: &Outcome) {}

    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}
}
