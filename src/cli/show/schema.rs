//! What a gRPC method takes and gives, as its document says.
//!
//! Takes documents and an endpoint, gives the fields of both messages as tables; nothing where no document knows them.

use super::{heading, safe};
use crate::console::{Align, Screen, Table};
use crate::inventory::EndpointView;
use crate::spec::{Contract, structure};

/// The messages of an endpoint.
pub(crate) fn schema(contracts: &[Contract], e: &EndpointView, screen: &Screen) -> String {
    let mut out = String::new();
    let operations = contracts.iter().flat_map(|c| c.operations.iter().map(move |o| (c, o)));
    let found = operations
        .filter_map(|(contract, operation)| Some((contract, operation, operation.rpc.as_ref()?)))
        .find(|(_, o, _)| o.method == e.method && o.servers.iter().any(|s| structure(&s.segments) == e.template));
    let Some((contract, _, rpc)) = found else { return out };
    for (role, name, streams) in
        [("Takes", &rpc.request, rpc.client_streams), ("Gives", &rpc.response, rpc.server_streams)]
    {
        let many = if streams { "a stream of " } else { "" };
        heading(&mut out, screen.tones, &format!("{role} {many}{}", safe(name)));
        let mut table = Table::new(&[Align::Right, Align::Left, Align::Left], 1, 2);
        for field in contract.messages.get(name).into_iter().flatten() {
            let repeated = if field.repeated { "repeated " } else { "" };
            table.row(vec![field.number.to_string(), safe(&field.name), format!("{repeated}{}", safe(&field.kind))]);
        }
        out.push_str(&table.render(screen.width, |_, text| text.to_owned()));
    }
    out
}
