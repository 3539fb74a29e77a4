"""Questions as vectors: embeddings, what is near what, clusters, the map, domains by nearest description."""
