"""A slot of the page that stays though what is in it comes and goes."""

from __future__ import annotations

import streamlit as st


def fill(html: str) -> None:
    """Draw `html` in one element even if it is empty.

    An element that is not drawn again goes only when the run is at its end: on a busy machine
    *Loading* stood for a while below *Nobody needs you*.
    """
    st.html(f'<div class="wb-place">{html}</div>')
