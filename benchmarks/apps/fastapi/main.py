"""A web application with a database and a client."""

import httpx
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import create_engine, text

app = FastAPI()
engine = create_engine("sqlite://")
client = httpx.AsyncClient()


class Answer(BaseModel):
    text: str


@app.get("/")
async def home() -> Answer:
    with engine.connect() as connection:
        return Answer(text=connection.scalar(text("select 'fastapi'")))
