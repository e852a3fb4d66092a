//! What a gRPC method takes and gives, as its document says.
//!
//! Takes documents and an endpoint, gives the fields of both messages as tables, with the messages that had each by their
//! numbers on the wire; nothing where no document knows them.

use super::{heading, safe};
use crate::console::{Align, Screen, Table};
use crate::inventory::EndpointView;
use crate::report::figures::things;
use crate::spec::{Contract, structure};

/// The messages of an endpoint.
pub(crate) fn schema(contracts: &[Contract], e: &EndpointView, screen: &Screen) -> String {
    let mut out = String::new();
    let operations = contracts.iter().flat_map(|c| c.operations.iter().map(move |o| (c, o)));
    let found = operations
        .filter_map(|(contract, operation)| Some((contract, operation, operation.rpc.as_ref()?)))
        .find(|(_, o, _)| o.method == e.method && o.servers.iter().any(|s| structure(&s.segments) == e.template));
    let Some((contract, _, rpc)) = found else { return out };
    let said = e.messages.as_ref();
    for (role, name, streams, said) in [
        ("Takes", &rpc.request, rpc.client_streams, said.map(|m| &m.client)),
        ("Gives", &rpc.response, rpc.server_streams, said.map(|m| &m.server)),
    ] {
        let many = if streams { "a stream of " } else { "" };
        heading(&mut out, screen.tones, &format!("{role} {many}{}", safe(name)));
        let mut table = Table::new(&[Align::Right, Align::Left, Align::Left, Align::Right], 1, 2);
        for field in contract.messages.get(name).into_iter().flatten() {
            let repeated = if field.repeated { "repeated " } else { "" };
            let number = field.number.to_string();
            let seen = said.and_then(|said| said.fields.get(&number));
            let seen = seen.map_or_else(String::new, |seen| things(seen.messages, "message", "messages"));
            table.row(vec![number, safe(&field.name), format!("{repeated}{}", safe(&field.kind)), seen]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }
    out
}
