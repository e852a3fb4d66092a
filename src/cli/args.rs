//! What can be typed.
//!
//! Takes the command line, gives it as values; says what is wrong with it in the user's words. Never acts on any of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::configured::USUAL;
use crate::diff::FindingKind;
use crate::observe::Network;
use crate::report::words;

const EXIT_CODES: &str = "\
Exit codes:
  0    done (findings alone are no failure)
  1    something went wrong while running: a file, an interface or a store could not be read or written
  2    the command line, the configuration, a filter or a document is wrong
  3    there are findings of a kind named with --fail-on
  130  interrupted (Ctrl-C) while reading files; what was found so far is shown";

const EXAMPLES: &str = "\
Examples:
  shadowtap scan -r monday.pcap                            what APIs are in a capture
  shadowtap scan -r monday.pcap --spec openapi.yaml        … and what of it is in no document
  shadowtap scan -i eth0 --for 5m 'tcp port 8080'          listen for five minutes
  shadowtap run --config /etc/shadowtap/shadowtap.toml     watch a SPAN port day and night
  shadowtap diff --spec openapi.yaml                       hold what it has seen against a document
  shadowtap transactions monday.pcap | jq .uri             one line for each exchange";

/// shadowtap finds the APIs that nobody documented: it listens on a mirror (SPAN) port or reads captures, reassembles
/// TCP, reads HTTP, folds what is called into path templates, and holds them against your OpenAPI documents. It sends
/// nothing and changes nothing. It reads HTTP/1 and HTTP/2, in tunnels too, and inside TLS where it is given keys; what it
/// cannot read is counted and shown.
#[derive(Debug, Parser)]
#[command(name = "shadowtap", version, about = "Finds the APIs that nobody documented, from network traffic", long_about,
    after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), max_term_width = 110,
    subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        help_heading = "Global options"
    )]
    pub(crate) color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Into pipes, too
    Always,
    /// Not at all
    Never,
}

impl Colour {
    /// Yes, no, or as it comes.
    pub(crate) fn wanted(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Always => Some(true),
            Self::Never => Some(false),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read captures (or listen for a while) and show the APIs in them
    #[command(after_help = SCAN_EXAMPLES, after_long_help = format!("{SCAN_EXAMPLES}\n\n{EXIT_CODES}"))]
    Scan(Scan),
    /// Watch interfaces (or a folder of captures) day and night: the daemon
    #[command(after_help = RUN_HELP)]
    Run(Run),
    /// Print each HTTP exchange of a capture as a line of JSON, in order of request
    #[command(after_help = TRANSACTIONS_HELP)]
    Transactions(Transactions),
    /// Print each TLS session of a capture as a line of JSON: who asked whom for what, and how
    #[command(after_help = TLS_HELP)]
    Tls(Tls),
    /// Learn path templates from access logs
    #[command(subcommand)]
    Templates(Templates),
    /// Look into a kept inventory
    #[command(subcommand)]
    Inventory(Inventory),
    /// Say what became of path templates: which appeared, were folded into one, split again, and why
    History(History),
    /// Hold a kept inventory against API documents
    #[command(after_help = DIFF_HELP, after_long_help = format!("{DIFF_HELP}\n\n{EXIT_CODES}"))]
    Diff(DiffArgs),
    /// Look at a mirror for a while and say what is wrong with it
    #[command(after_help = DOCTOR_HELP)]
    Doctor(Doctor),
    /// Check a configuration file without starting anything
    CheckConfig(CheckConfig),
    /// List the interfaces that can be listened on
    Interfaces(Interfaces),
}

const SCAN_EXAMPLES: &str = "\
A filter (BPF, as tcpdump has it: see pcap-filter(7)) may stand at the end. Words there that are existing files are \
taken as more captures, so `-r *.pcap` does what it looks like.

Examples:
  shadowtap scan -r monday.pcap.gz -r tuesday.pcapng
  shadowtap scan -r captures/ --spec api.yaml --html report.html
  tcpdump -i eth0 -w - | shadowtap scan -r -
  shadowtap scan -r ci.pcap --spec api.yaml --fail-on shadow,zombie || echo 'not documented'
  shadowtap scan -i eth0 --for 60s tcp port 80 and net 10.0.0.0/8";

#[derive(Debug, ClapArgs)]
pub(crate) struct Scan {
    /// Capture file (pcap or pcapng, also .gz and .zst), a folder of them, or `-` for standard input; may be repeated
    #[arg(
        short = 'r',
        long = "read",
        value_name = "FILE",
        required_unless_present_any = ["interface", "log"],
        conflicts_with = "interface"
    )]
    pub(crate) read: Vec<PathBuf>,
    /// Log of requests, as `templates learn` reads it (JSON Lines, HAR, Zeek, Suricata, nginx, Apache; also .gz); may be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "interface")]
    pub(crate) log: Vec<PathBuf>,
    /// Listen on this interface instead (Ctrl-C ends it)
    #[arg(short = 'i', long, value_name = "IFACE")]
    pub(crate) interface: Option<String>,
    /// With -i: listen for so long (30s, 5m, 2h)
    #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "interface", conflicts_with = "read")]
    pub(crate) listen: Option<Duration>,
    #[command(flatten)]
    pub(crate) against: Against,
    /// Keep the inventory in this folder, for `inventory` and `diff` later
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Network of a proxy whose `Forwarded` and `X-Forwarded-For` name the caller (10.0.0.0/8); may be repeated [default:
    /// those that the configuration names, else nobody's]
    #[arg(long, value_name = "NETWORK")]
    pub(crate) trusted_proxy: Vec<Network>,
    /// Look into no body and no token for values that stand in paths
    #[arg(long)]
    pub(crate) no_bodies: bool,
    /// Take limits and document settings from this configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    /// No progress bar
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Filter in BPF, as tcpdump has it
    #[arg(value_name = "BPF", trailing_var_arg = true)]
    pub(crate) filter: Vec<String>,
}

/// What opens TLS. Secrets in pcapng files (Decryption Secrets Blocks) are used as well.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct KeyArgs {
    /// TLS key log (NSS format, as SSLKEYLOGFILE makes it); may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Vec<PathBuf>,
    /// A server's RSA private key (PEM), for TLS 1.2 with RSA key exchange; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) rsa_key: Vec<PathBuf>,
}

const TLS_HELP: &str = "\
`version`, `suite`, `alpn_chosen` and `ja3s` are what the server chose, null where its answer was not seen (or is not \
readable). `decrypted` tells whether a key opened the session.

Examples:
  shadowtap tls monday.pcap | jq -r '[.server, .sni, .version, .ja4] | @tsv' | sort | uniq -c
  shadowtap tls monday.pcap --keylog keys.log | jq 'select(.decrypted | not)'";

#[derive(Debug, ClapArgs)]
pub(crate) struct Tls {
    /// Capture file (pcap or pcapng, also .gz and .zst), a folder of them, or `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Filter in BPF, as tcpdump has it
    #[arg(value_name = "BPF", trailing_var_arg = true)]
    pub(crate) filter: Vec<String>,
}

/// The documents to hold an inventory against, and what to make of the findings.
#[derive(Debug, ClapArgs)]
pub(crate) struct Against {
    /// API document (OpenAPI 3.0 to 3.2 or Swagger 2.0, YAML or JSON; .proto or descriptor set); may be repeated [default: those that the
    /// configuration names]
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Vec<PathBuf>,
    /// Path prefix that a gateway takes off before the service sees a request: taken off the documented paths
    #[arg(long, value_name = "PATH", requires = "spec")]
    pub(crate) strip_prefix: Option<String>,
    /// Path prefix to put before the documented paths (after --strip-prefix)
    #[arg(long, value_name = "PATH", requires = "spec")]
    pub(crate) add_prefix: Option<String>,
    /// Follow `$ref`s of documents to files outside of the document's folder
    #[arg(long, requires = "spec")]
    pub(crate) refs_outside: bool,
    /// Exit with code 3 when there are findings of these kinds, or `any`
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = fail_on, hide_possible_values = true,
        long_help = format!("Exit with code 3 when there are findings of these kinds, separated by commas, or `any`: {}", kinds()))]
    pub(crate) fail_on: Vec<FailOn>,
}

/// How to show what was found.
#[derive(Debug, ClapArgs)]
pub(crate) struct Output {
    /// Write a report page to this file (one file, nothing loaded from elsewhere)
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print one JSON document for machines
    #[arg(long)]
    pub(crate) json: bool,
    /// Cut no lists
    #[arg(long)]
    pub(crate) full: bool,
}

const RUN_HELP: &str = "\
The least that a configuration holds (docs/configuration.md has every key with its default):

  [[interface]]
  name = \"eth1\"          # as `shadowtap interfaces` lists it
  [[spec]]
  file = \"openapi.yaml\"  # may be left out

Look into what it finds with `shadowtap inventory list` and `shadowtap diff`, also while it runs.

Signals:
  SIGHUP         read configuration and documents again
  SIGTERM, INT   end: close connections, write what is known, go";

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = USUAL)]
    pub(crate) config: PathBuf,
}

const TRANSACTIONS_HELP: &str = "\
Values in the query, passwords in URLs, and what looks like a token, an e-mail address or a number of a person in the \
path are shown as ***. --raw shows them: mind who reads it.

Lines come in order of request, sorted through up to 131,072 lines (or 64 MB). An exchange that is still open holds back \
at most 65,536 later ones; then those go first, and it follows when it ends. From standard input each line is written \
as soon as the exchange and those that were read before it are over: behind a hole in the capture that may be later \
than its time. How many lines stand behind later ones is said at the end, on standard error; `sort` by ts mends it.

Examples:
  shadowtap transactions monday.pcap | jq -r 'select(.status >= 500) | [.ts, .method, .host, .uri] | @tsv'
  zcat old.pcap.gz | shadowtap transactions -";

#[derive(Debug, ClapArgs)]
pub(crate) struct Transactions {
    /// Capture file (pcap or pcapng, also .gz and .zst), a folder of them, or `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) keys: KeyArgs,
    /// Show targets as they were sent, with values and secrets
    #[arg(long)]
    pub(crate) raw: bool,
    /// Filter in BPF, as tcpdump has it
    #[arg(value_name = "BPF", trailing_var_arg = true)]
    pub(crate) filter: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Templates {
    /// Read a log and print the templates of what is called in it
    #[command(after_help = LEARN_HELP)]
    Learn(Learn),
    /// Say why a request has its path template
    Explain(Explain),
    /// List the judgements that are least certain, or settle one
    Review(Review),
    /// Write the rows that the judgement is trained on (see tools/train-templates)
    #[command(hide = true)]
    Features(Features),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Features {
    /// Log, as `learn` takes it
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// True templates: lines of JSON with `i` and `template`, `noise` for noise
    #[arg(value_name = "TRUTH")]
    pub(crate) truth: PathBuf,
    /// Model of the first pass, and vocabulary
    #[arg(long, value_name = "FILE")]
    pub(crate) model: PathBuf,
    /// Rows of the second pass
    #[arg(long)]
    pub(crate) second: bool,
    /// Print the features' names instead
    #[arg(long)]
    pub(crate) names: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Explain {
    /// Method
    #[arg(value_name = "METHOD")]
    pub(crate) method: String,
    /// URL, or a path for all services
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Review {
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// How many to list
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print as JSON
    #[arg(long, conflicts_with = "path")]
    pub(crate) json: bool,
    /// Add a rule for this path to the configuration file; `*` stands for one segment
    #[arg(long, value_name = "PATH", requires = "is")]
    pub(crate) path: Option<String>,
    /// What holds at that path
    #[arg(long, value_name = "WHAT", requires = "path")]
    pub(crate) is: Option<Settled>,
    /// Hosts for which the rule holds; `*` stands for any characters [default: all]
    #[arg(long, value_name = "HOST", requires = "path")]
    pub(crate) host: Option<String>,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Settled {
    /// The last segment is a literal
    Literal,
    /// The last segment is a parameter's value
    Parameter,
    /// No API, here and below
    Ignored,
    /// All below is one endpoint
    One,
}

impl From<Settled> for crate::config::Is {
    fn from(settled: Settled) -> Self {
        match settled {
            Settled::Literal => Self::Literal,
            Settled::Parameter => Self::Parameter,
            Settled::Ignored => Self::Ignored,
            Settled::One => Self::One,
        }
    }
}

const LEARN_HELP: &str = "\
Formats, told from the content: JSON Lines (method, host, path, query, status, resp_content_type …), HAR, Zeek http.log \
(TSV or JSON), Suricata EVE, and access logs of nginx and Apache (combined or common). Each may be gzipped.

Examples:
  shadowtap templates learn access.log
  zcat http.log.*.gz | shadowtap templates learn -
  shadowtap templates learn requests.jsonl.gz --assign > assigned.jsonl";

#[derive(Debug, ClapArgs)]
pub(crate) struct Learn {
    /// Log file (also .gz), or `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print one line of JSON for each request: its number, from 0, and its template, `null` for a probe
    #[arg(long)]
    pub(crate) assign: bool,
    /// Print the whole inventory as JSON
    #[arg(long, conflicts_with = "assign")]
    pub(crate) json: bool,
    /// Print what becomes of templates while the log is read, a line of JSON for each change: learnt anew every so many requests
    #[arg(long, value_name = "REQUESTS", conflicts_with_all = ["assign", "json"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) changes: Option<u64>,
    /// Host for lines that name none, as those of combined logs
    #[arg(long, value_name = "HOST", default_value = "")]
    pub(crate) host: String,
    /// Look into no body and no token for values that stand in paths
    #[arg(long)]
    pub(crate) no_bodies: bool,
    /// Judge with this model (see tools/train-templates)
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) model: Option<PathBuf>,
}

/// Where the inventory is kept.
#[derive(Debug, ClapArgs)]
pub(crate) struct Kept {
    /// Folder of the inventory: that of `scan --out`, or the daemon's [default: as the configuration says]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) store: Option<PathBuf>,
    /// Configuration file that names the folder and the documents [default: /etc/shadowtap/shadowtap.toml, where it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Inventory {
    /// List services and endpoints
    List(List),
    /// Show what is known of one endpoint or service
    Show(Show),
    /// Print the whole inventory as JSON
    Export(Export),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Only services whose origin holds this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) service: Option<String>,
    /// Print JSON: the inventory's own form, services without a match left out
    #[arg(long)]
    pub(crate) json: bool,
    /// Cut no lists
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Id (ep-…, svc-…, opq-…), the origin of a service or of an opaque server (tls://pay.example), or a path template, with the method before it if you like: "GET /users/{id}"
    #[arg(value_name = "WHICH", required = true, num_args = 1..)]
    pub(crate) which: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// On one line
    #[arg(long)]
    pub(crate) compact: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Only services whose origin holds this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) service: Option<String>,
    /// Only what is about this endpoint (ep-…)
    #[arg(long, value_name = "ID")]
    pub(crate) endpoint: Option<String>,
    /// Only the last so many entries
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const DIFF_HELP: &str = "\
Works while the daemon runs: it reads what the daemon keeps, and stops nothing.

Examples:
  shadowtap diff --spec petstore.yaml
  shadowtap diff --store kept/ --spec a.yaml --spec b.json --fail-on any --json";

#[derive(Debug, ClapArgs)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) kept: Kept,
    #[command(flatten)]
    pub(crate) against: Against,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct CheckConfig {
    /// Configuration file [default: /etc/shadowtap/shadowtap.toml]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The same, as `run` takes it
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) config: Option<PathBuf>,
    /// Print only what looks wrong, not what is in force
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

const DOCTOR_HELP: &str = "\
Looks for: a direction that is missing, packets mirrored twice, VLAN tags in one direction only, cut packets, merged frames, loss \
on the way to the sensor, clock steps, nothing but TLS, no HTTP, tunnels that can't be opened. Each finding comes with its evidence \
and its remedy; docs/user-guide.md has the commands for common switches.

Examples:
  shadowtap doctor -i eth1 --for 60s
  shadowtap doctor -r monday.pcap";

#[derive(Debug, ClapArgs)]
pub(crate) struct Doctor {
    /// Capture file (pcap or pcapng, also .gz and .zst), a folder of them, or `-` for standard input; may be repeated
    #[arg(
        short = 'r',
        long = "read",
        value_name = "FILE",
        required_unless_present = "interface",
        conflicts_with = "interface"
    )]
    pub(crate) read: Vec<PathBuf>,
    /// Listen on this interface (Ctrl-C ends it)
    #[arg(short = 'i', long, value_name = "IFACE")]
    pub(crate) interface: Option<String>,
    /// With -i: listen for so long (30s, 5m) [default: 30s]
    #[arg(long = "for", value_name = "TIME", value_parser = duration, requires = "interface", conflicts_with = "read")]
    pub(crate) listen: Option<Duration>,
    /// Take limits and what is known of tunnels from this configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the findings as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress bar
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Filter in BPF, as tcpdump has it
    #[arg(value_name = "BPF", trailing_var_arg = true)]
    pub(crate) filter: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Interfaces {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What makes `--fail-on` strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailOn {
    Any,
    Kind(FindingKind),
}

impl FailOn {
    pub(crate) fn matches(self, kind: FindingKind) -> bool {
        match self {
            Self::Any => true,
            Self::Kind(asked) => kind.counts_as(asked),
        }
    }
}

fn kinds() -> String {
    words::KINDS.map(words::name).join(", ")
}

fn fail_on(text: &str) -> Result<FailOn, String> {
    if text == "any" {
        return Ok(FailOn::Any);
    }
    let kind = words::KINDS.into_iter().find(|k| words::name(*k) == text);
    kind.map(FailOn::Kind).ok_or_else(|| format!("no such kind of finding; there are: {}, any", kinds()))
}

/// `30`, `30s`, `5m`, `2h`, `1d`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("a time is a number with s, m, h or d: 30s, 5m".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a time is a number with s, m, h or d: 30s, 5m".to_owned())?;
    number.checked_mul(seconds).filter(|s| *s > 0).map(Duration::from_secs).ok_or_else(|| "out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    #[test]
    fn definitions_hold() {
        Args::command().debug_assert();
    }

    #[test]
    fn tcpdumps_habits() {
        let Command::Scan(scan) = parse("shadowtap scan -r a.pcap -r b.pcap --json tcp port 80").unwrap().command
        else {
            panic!("not scan")
        };
        assert_eq!(scan.read, [PathBuf::from("a.pcap"), PathBuf::from("b.pcap")]);
        assert_eq!(scan.filter, ["tcp", "port", "80"]);
        assert!(scan.output.json);
        let Command::Scan(scan) = parse("shadowtap scan -i eth0 --for 5m not port 22").unwrap().command else {
            panic!("not scan")
        };
        assert_eq!((scan.listen, scan.filter.len()), (Some(Duration::from_secs(300)), 3));
    }

    #[test]
    fn fail_on_takes_kinds() {
        let line = "shadowtap scan -r a --fail-on shadow,zombie";
        let Command::Scan(scan) = parse(line).unwrap().command else { panic!("not scan") };
        assert!(scan.against.fail_on.iter().any(|f| f.matches(FindingKind::Zombie)));
        assert!(!scan.against.fail_on.iter().any(|f| f.matches(FindingKind::Unseen)));
        assert!(FailOn::Any.matches(FindingKind::Unseen));
        assert!(FailOn::Kind(FindingKind::Shadow).matches(FindingKind::UndocumentedService), "all of it is shadow");
        let error = parse("shadowtap scan -r a --fail-on shadows").unwrap_err();
        assert!(error.to_string().contains("undocumented-method"), "{error}");
    }

    #[test]
    fn either_a_file_or_an_interface() {
        assert!(parse("shadowtap scan").is_err());
        assert!(parse("shadowtap scan -r a -i b").is_err());
        assert!(parse("shadowtap scan -r a --for 5m").is_err());
        assert!(parse("shadowtap scan -i a --for 0s").is_err());
        assert!(parse("shadowtap scan -i a --for 5x").is_err());
    }

    #[test]
    fn help_tells_exit_codes_and_shows_examples() {
        let help = Args::command().render_long_help().to_string();
        assert!(help.contains("Exit codes:") && help.contains("Examples:"));
    }
}
