"""The agent's own page: plain HTML on the loopback address, for one person and nobody else.

`facts` gathers, `capture`, `seen`, `told`, `tables` and `chart` turn facts
into what is shown (pure), `orders` turns a form into a command (pure), `gate`
decides who is let in (pure). `render`, `app` and `server` are the only files
that import Jinja, Starlette and uvicorn; `companion` puts them together, and
none of the three is loaded where the page is off.
"""
