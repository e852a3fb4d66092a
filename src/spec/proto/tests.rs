//! `.proto` files and descriptor sets as documents.

use std::collections::BTreeMap;

use prost::Message as _;
use prost_types::FileDescriptorSet;

use super::*;
use crate::spec::load;

#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn with(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.0.insert(path.to_owned(), bytes.as_ref().to_vec());
        self
    }
}

impl Loader for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

const SHOP: &str = r#"syntax = "proto3";
package shop.v1;

import "google/protobuf/empty.proto";
import "shop/v1/types.proto";

service Orders {
  rpc Get (GetRequest) returns (Order);
  rpc Watch (stream GetRequest) returns (stream Order) { option deprecated = true; }
  rpc Clear (google.protobuf.Empty) returns (.google.protobuf.Empty);
}

message GetRequest {
  string id = 3;
  repeated int32 parts = 1;
  map<string, Order> seen = 2;
  Page page = 4;
  message Page { uint64 at = 1; }
  enum Kind { NONE = 0; }
  Kind kind = 5;
}
"#;

const TYPES: &str =
    "syntax = \"proto3\";\npackage shop.v1;\nmessage Order { string id = 1; common.Money price = 2; }\n";

fn read(files: &Files, path: &str) -> (Contract, Vec<String>) {
    let (contract, warnings) = load(files, path, &Options::default()).unwrap();
    (contract, warnings.iter().map(ToString::to_string).collect())
}

fn paths(contract: &Contract) -> Vec<&str> {
    contract.operations.iter().map(|o| o.path.as_str()).collect()
}

#[test]
fn methods_are_operations_and_messages_have_fields() {
    let files = Files::default().with("proto/shop/v1/orders.proto", SHOP).with("proto/shop/v1/types.proto", TYPES);
    let (contract, warnings) = read(&files, "proto/shop/v1/orders.proto");
    assert_eq!(warnings, [""; 0]);
    assert_eq!((contract.title.as_str(), contract.format), ("orders.proto", Version::Proto));
    assert_eq!(paths(&contract), ["/shop.v1.Orders/Get", "/shop.v1.Orders/Watch", "/shop.v1.Orders/Clear"]);
    let [get, watch, clear] = contract.operations.as_slice() else { panic!("three operations") };
    assert_eq!((get.method.as_str(), get.pointer.as_str()), ("POST", "proto/shop/v1/orders.proto:8"));
    assert_eq!((get.deprecated, watch.deprecated), (false, true));
    let rpc = watch.rpc.as_ref().unwrap();
    assert_eq!((rpc.request.as_str(), rpc.response.as_str()), ("shop.v1.GetRequest", "shop.v1.Order"));
    assert_eq!((rpc.client_streams, rpc.server_streams), (true, true));
    assert_eq!(clear.rpc.as_ref().unwrap().request, "google.protobuf.Empty");
    let fields: Vec<_> = contract.messages["shop.v1.GetRequest"]
        .iter()
        .map(|f| format!("{} {} {}{}", f.number, f.name, f.kind, if f.repeated { "[]" } else { "" }))
        .collect();
    assert_eq!(
        fields,
        [
            "1 parts int32[]",
            "2 seen map<string, shop.v1.Order>",
            "3 id string",
            "4 page shop.v1.GetRequest.Page",
            "5 kind shop.v1.GetRequest.Kind"
        ]
    );
    assert_eq!(contract.messages["shop.v1.Order"][1].kind, "common.Money", "what nothing defines stays as written");
    let route = &contract.routes()[0];
    assert_eq!(route.segments[0], Part::Literal("shop.v1.Orders".to_owned()));
}

#[test]
fn a_missing_import_costs_its_types_alone() {
    let files = Files::default().with("orders.proto", SHOP);
    let (contract, warnings) = read(&files, "orders.proto");
    assert_eq!(contract.operations.len(), 3);
    assert_eq!(contract.operations[0].rpc.as_ref().unwrap().response, "Order");
    assert!(warnings.len() == 1 && warnings[0].contains("shop/v1/types.proto"), "{warnings:?}");
    // One that is outside of the folder is not looked at, unless that is allowed.
    let files = Files::default().with("a/b/orders.proto", SHOP).with("a/shop/v1/types.proto", TYPES);
    assert_eq!(read(&files, "a/b/orders.proto").1.len(), 1);
    let options = Options { outside_folder: true, ..Options::default() };
    assert!(load(&files, "a/b/orders.proto", &options).unwrap().1.is_empty());
}

#[test]
fn a_syntax_error_names_file_line_and_remedy() {
    for (text, line, words) in [
        ("syntax = \"proto3\";\npackage a;\nservice S {\n  rpc M (A) return (B);\n}\n", 4, "expected"),
        ("syntax = \"proto3\";\nmessage A {\n", 2, "end of file"),
        ("syntax = \"proto9\";\n", 1, "proto9"),
    ] {
        let error =
            load(&Files::default().with("a.proto", text), "a.proto", &Options::default()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("a.proto:{line}")), "{error}");
        assert!(error.contains(words) && error.contains("protoc --include_imports -o"), "{error}");
    }
    let error = load(&Files::default().with("a.proto", b"\n\n\xff"), "a.proto", &Options::default()).unwrap_err();
    assert!(error.to_string().starts_with("a.proto:3"), "{error}");
}

#[test]
fn descriptor_sets_are_known_by_content() {
    let file = |name: &str, text: &str| protox_parse::parse(name, text).unwrap();
    let other = "syntax = \"proto3\";\nservice Bare { rpc Do (A) returns (A); }\nmessage A {}\n";
    let mut set = FileDescriptorSet { file: vec![file("shop/v1/orders.proto", SHOP), file("bare.proto", other)] };
    set.file.iter_mut().for_each(|file| file.source_code_info = None);
    let files = Files::default().with("set.pb", set.encode_to_vec());
    let (contract, _) = read(&files, "set.pb");
    assert_eq!(contract.format, Version::DescriptorSet);
    assert_eq!(paths(&contract).last(), Some(&"/Bare/Do"));
    assert_eq!(contract.operations[0].pointer, "set.pb#shop.v1.Orders.Get");
    // A document that begins with an empty line is none.
    let yaml = "\nopenapi: 3.0.0\ninfo: {title: A, version: '1'}\npaths: {}\n";
    assert_eq!(read(&Files::default().with("a.yaml", yaml), "a.yaml").0.format, Version::OpenApi30);
    // One that is cut short is no set, and no YAML.
    let cut = &set.encode_to_vec()[..200];
    assert!(load(&Files::default().with("set.pb", cut), "set.pb", &Options::default()).is_err());
}

#[test]
fn prefixes_services_and_limits_hold_here_too() {
    let files = Files::default().with("a.proto", "package p; service S { rpc M (A) returns (A); }");
    let options = Options {
        add_prefix: Some("/grpc".to_owned()),
        services: vec!["*.example:8080".parse().unwrap()],
        ..Options::default()
    };
    let (contract, _) = load(&files, "a.proto", &options).unwrap();
    let server = &contract.operations[0].servers[0];
    assert_eq!((server.segments.len(), server.base, server.port), (3, 1, Some(8080)));
    let mut options = Options::default();
    options.limits.operations = 2;
    let error = load(&Files::default().with("a.proto", SHOP), "a.proto", &options).unwrap_err().to_string();
    assert!(error.contains("`operations` (2)"), "{error}");
    let deep = format!("syntax = \"proto3\";{}{}", "message A {".repeat(5000), "}".repeat(5000));
    assert!(load(&Files::default().with("a.proto", deep), "a.proto", &Options::default()).is_err());
}
