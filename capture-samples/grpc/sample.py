"""A gRPC service in Python (grpcio): unary calls, streams in each direction, messages compressed with gzip, and errors in
trailers: alone, and behind messages that were sent. What was asked is the server's own account."""

import json
import subprocess
import sys
import time

HOSTS = ["orders.test"]
PORT = 50051
SPECS = []
COMPRESS = "gz"
ROUTES = [f"/shop.v1.Orders/{m}" for m in ("Get", "Place", "List", "Import", "Track", "Archive")]
STUBS = "stubs"


def prepare(lab):
    (lab.work / STUBS).mkdir()


def serve(lab, here):
    subprocess.run([lab.venv / "bin/python", "-m", "grpc_tools.protoc", f"-I{here}", f"--python_out={lab.work / STUBS}",
                    f"--grpc_python_out={lab.work / STUBS}", here / "orders.proto"], check=True)
    lab.serve(lab.venv / "bin/python", "-B", here / "server.py", lab.work / STUBS, PORT, lab.work / "account.jsonl", port=PORT)


def drive(truth):
    sys.path.insert(0, STUBS)
    import grpc
    import orders_pb2 as pb
    import orders_pb2_grpc as stubs

    def fails(call, code):
        try:
            call()
        except grpc.RpcError as e:
            assert e.code() == code, e
        else:
            raise AssertionError("it should have failed")

    address = f"orders.test:{PORT}"
    code = grpc.StatusCode
    with grpc.insecure_channel(address) as channel:
        orders = stubs.OrdersStub(channel)
        for n in range(1, 21):
            orders.Get(pb.Wanted(id=n))
        for n, expected in ((404, code.NOT_FOUND), (403, code.PERMISSION_DENIED), (500, code.INTERNAL), (503, code.UNAVAILABLE)):
            for _ in range(3):
                fails(lambda: orders.Get(pb.Wanted(id=n)), expected)
        for n in range(1, 9):
            orders.Place(pb.Order(id=n, item="thing", total=1.5, notes=["x" * 100] * n))
        for n in (1, 3, 20):
            assert len(list(orders.List(pb.Wanted(id=n)))) == n
        fails(lambda: list(orders.List(pb.Wanted(id=107))), code.DATA_LOSS)
        fails(lambda: list(orders.List(pb.Wanted(id=100))), code.DATA_LOSS)
        for n in (0, 1, 12):
            assert orders.Import(pb.Order(id=i, item="thing") for i in range(n)).count == n
        assert len(list(orders.Track(pb.Wanted(id=i) for i in range(6)))) == 6
        # Many at a time, on one connection.
        for call in [orders.Get.future(pb.Wanted(id=n)) for n in range(600, 640)]:
            call.result()
        # What the server has not.
        for method in ("/shop.v1.Orders/Vanish", "/shop.v2.Orders/Get"):
            call = channel.unary_unary(method, request_serializer=pb.Wanted.SerializeToString, response_deserializer=pb.Order.FromString)
            fails(lambda: call(pb.Wanted(id=1)), code.UNIMPLEMENTED)
    with grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel:
        orders = stubs.OrdersStub(channel)
        orders.Place(pb.Order(id=1, item="thing", notes=["the same again"] * 200))
        orders.Import(pb.Order(id=i, item="thing", notes=["the same again"] * 50) for i in range(5))
    time.sleep(0.3)


def server_truth(lab, file):
    with file.open("a") as f:
        for line in (lab.work / "account.jsonl").read_text().splitlines():
            call = json.loads(line)
            f.write(json.dumps({"client": "grpcio", "method": "POST", "host": "orders.test", "port": PORT, "target": call["method"],
                                "status": 200, "request_type": "application/grpc", "response_type": "application/grpc",
                                "grpc_status": call["status"], "messages": call["messages"]}) + "\n")
