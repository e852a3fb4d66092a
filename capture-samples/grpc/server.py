"""The service of orders.proto, and its own account of each call. Usage: server.py FOLDER-OF-STUBS PORT ACCOUNT"""

import json
import sys
import threading
from concurrent import futures

sys.path.insert(0, sys.argv[1])

import grpc  # noqa: E402
import orders_pb2 as pb  # noqa: E402
import orders_pb2_grpc as stubs  # noqa: E402

LOCK = threading.Lock()


class Account(grpc.ServerInterceptor):
    """Writes a line for each call when it is over."""

    def intercept_service(self, proceed, details):
        handler = proceed(details)
        if handler is None:
            write(details.method, 12, 1, 0)
        return handler


def write(method, status, received, sent):
    with LOCK, open(sys.argv[3], "a") as f:
        f.write(json.dumps({"method": method, "status": status, "messages": [received, sent]}) + "\n")


def order(n):
    return pb.Order(id=n, item=f"thing {n}", total=n * 1.5, notes=[f"note {i} of order {n}" for i in range(n % 5)])


class Orders(stubs.OrdersServicer):
    def Get(self, wanted, context):
        path = "/shop.v1.Orders/Get"
        code = {404: 5, 403: 7, 500: 13, 503: 14}.get(wanted.id, 0)
        if code:
            write(path, code, 1, 0)
            codes = {c.value[0]: c for c in grpc.StatusCode}
            context.set_trailing_metadata((("x-reason", "made up"), ("x-detail-bin", b"\x00\x01\xfe")))
            context.abort(codes[code], f"order {wanted.id} – not möglich")
        write(path, 0, 1, 1)
        return order(wanted.id)

    def Place(self, placed, context):
        write("/shop.v1.Orders/Place", 0, 1, 1)
        return placed

    def List(self, wanted, context):
        sent = 0
        for n in range(wanted.id % 100):
            sent += 1
            yield order(n)
        # A status behind messages that have been sent: only trailers can tell.
        failed = wanted.id >= 100
        write("/shop.v1.Orders/List", 15 if failed else 0, 1, sent)
        if failed:
            context.abort(grpc.StatusCode.DATA_LOSS, "the rest is gone")

    def Import(self, orders, context):
        count = sum(1 for _ in orders)
        write("/shop.v1.Orders/Import", 0, count, 1)
        return pb.Summary(count=count)

    def Track(self, wanted, context):
        count = 0
        for w in wanted:
            count += 1
            yield order(w.id)
        write("/shop.v1.Orders/Track", 0, count, count)


server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=[Account()])
stubs.add_OrdersServicer_to_server(Orders(), server)
server.add_insecure_port(f"0.0.0.0:{sys.argv[2]}")
server.start()
server.wait_for_termination()
