"""A small shop's API. FastAPI writes its OpenAPI document from this, and leaves out what `include_in_schema` hides."""

import asyncio
import uuid
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Query, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI(title="Shop", version="2.3.0")


class Product(BaseModel):
    name: str
    price: float


class Order(BaseModel):
    product_id: int
    amount: int = 1


PRODUCTS = {n: Product(name=f"Product {n}", price=n * 1.5) for n in range(1, 401)}
ORDERS: dict[uuid.UUID, Order] = {}


def signed_in(authorization: str | None):
    if authorization != "Bearer test-token-not-a-secret":
        raise HTTPException(401, "sign in first")


@app.get("/api/v2/products")
def list_products(page: Annotated[int, Query(ge=1)] = 1, limit: Annotated[int, Query(le=100)] = 20) -> list[Product]:
    return list(PRODUCTS.values())[(page - 1) * limit : page * limit]


@app.post("/api/v2/products", status_code=201)
def add_product(product: Product, response: Response) -> Product:
    number = max(PRODUCTS) + 1
    PRODUCTS[number] = product
    response.headers["Location"] = f"/api/v2/products/{number}"
    return product


@app.get("/api/v2/products/{product_id}", responses={404: {"description": "no such product"}})
def get_product(product_id: int) -> Product:
    if product_id not in PRODUCTS:
        raise HTTPException(404, "no such product")
    return PRODUCTS[product_id]


@app.put("/api/v2/products/{product_id}")
def replace_product(product_id: int, product: Product) -> Product:
    PRODUCTS[product_id] = product
    return product


# Hidden: the front end's team asked for it and nobody wrote it down.
@app.patch("/api/v2/products/{product_id}", include_in_schema=False)
def change_price(product_id: int, price: float) -> Product:
    PRODUCTS[product_id].price = price
    return PRODUCTS[product_id]


@app.post("/api/v2/products/{product_id}/image", status_code=204)
async def upload_image(product_id: int, image: UploadFile) -> None:
    while await image.read(65536):
        pass


@app.get("/api/v1/products/{product_id}", deprecated=True)
def get_product_v1(product_id: int) -> dict:
    return {"id": product_id, "title": PRODUCTS[product_id].name}


@app.get("/api/v1/search", deprecated=True)
def search_v1(q: str) -> list[str]:
    return [p.name for p in PRODUCTS.values() if q in p.name]


@app.post("/api/v2/orders", status_code=201, responses={401: {"description": "not signed in"}})
def add_order(order: Order, authorization: Annotated[str | None, Header()] = None) -> uuid.UUID:
    signed_in(authorization)
    if order.amount > 100:
        # Not in the document.
        raise HTTPException(409, "not that many")
    # The same ids in each recording.
    number = uuid.UUID(int=0x0F0E0D0C_0B0A_4908_8706_000000000000 + len(ORDERS) * 0x9E3779B97F4A & (1 << 128) - 1)
    ORDERS[number] = order
    return number


@app.get("/api/v2/orders/{order_id}", responses={404: {"description": "no such order"}})
def get_order(order_id: uuid.UUID) -> Order:
    if order_id not in ORDERS:
        raise HTTPException(404, "no such order")
    return ORDERS[order_id]


@app.delete("/api/v2/orders/{order_id}", status_code=204)
def cancel_order(order_id: uuid.UUID) -> None:
    ORDERS.pop(order_id)


# Hidden: a shortcut for the support desk.
@app.post("/api/v2/orders/{order_id}/refund", include_in_schema=False, status_code=202)
def refund(order_id: uuid.UUID) -> dict:
    return {"refunded": str(order_id)}


@app.get("/api/v2/users/me", responses={401: {"description": "not signed in"}})
def me(authorization: Annotated[str | None, Header()] = None) -> dict:
    signed_in(authorization)
    return {"id": 7, "email": "jane.doe@example.com"}


@app.get("/api/v2/users/{user_id}")
def user(user_id: int) -> dict:
    return {"id": user_id}


@app.get("/api/v2/users/{user_id}/orders")
def orders_of(user_id: int) -> list[uuid.UUID]:
    return list(ORDERS)[:3]


@app.get("/api/v2/events")
async def events() -> StreamingResponse:
    async def lines():
        for n in range(5):
            yield f"data: {n}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(lines(), media_type="text/event-stream")


@app.get("/api/v2/reports/daily")
def daily_report() -> dict:
    return {}


@app.get("/api/v2/reports/{year}/{month}")
def monthly_report(year: int, month: int) -> dict:
    return {}


# Hidden: left from the first week.
@app.get("/internal/debug/config", include_in_schema=False)
def debug_config() -> dict:
    return {"database": "postgres://shop:example-password@db.test/shop"}
