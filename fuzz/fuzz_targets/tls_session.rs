//! Whole TLS sessions, with keys that come at any time and holes anywhere. Law: each byte that came is in one record, or
//! given up, or still held.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::proto::tls::{Keys, Plain};
use shadowtap::proto::tls::session::{Party, Session, Step, What};
use shadowtap_fuzz::Choices;

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let keys = Keys::new(8);
    let (mut session, mut plain) = (Session::default(), Plain::default());
    let (mut came, mut told) = (0_usize, 0_usize);
    while !choices.is_empty() {
        let what = choices.u8();
        let from = if what & 1 == 0 { Party::Client } else { Party::Server };
        match what >> 1 & 7 {
            0 => told += session.gap(from, u64::from(choices.u16())),
            1 => {
                let n = choices.below(300);
                keys.text(choices.take(n));
            }
            2 => session.give_up(),
            _ => {
                let n = choices.below(2000);
                let mut rest = choices.take(n);
                came += rest.len();
                loop {
                    match session.step(from, rest, &keys, &mut plain) {
                        Step::More(given_up) => {
                            told += given_up;
                            break;
                        }
                        // As where waiting has no point any more.
                        Step::Wait(used) => {
                            rest = &rest[used..];
                            session.give_up();
                        }
                        Step::Blind(held) => {
                            told += held + rest.len();
                            break;
                        }
                        Step::Record(piece) => {
                            rest = &rest[piece.used..];
                            told += piece.skipped + piece.size;
                            if let What::Data(n) = piece.what {
                                assert!(n <= plain.all().len() && n <= piece.size);
                            }
                        }
                    }
                }
            }
        }
        let held = session.unread(Party::Client) + session.unread(Party::Server);
        assert_eq!(told + held, came, "a byte told twice or not at all");
        assert!(session.held() < 1 << 20);
    }
    session.cut_off();
});
