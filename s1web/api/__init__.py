"""The REST API: what pages read and do, for other programs; its tokens and the page that documents it."""
