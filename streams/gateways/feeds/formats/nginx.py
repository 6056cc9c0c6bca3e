"""What nginx includes in a geo block (ngx_http_geo_module, ngx_stream_geo_module): 1 for whoever
is listed."""

from collections.abc import Iterator, Sequence

from streams.gateways.feeds.item import Item


def nginx(items: Sequence[Item]) -> Iterator[str]:
    return (f"{item.value} 1;\n" for item in items)
