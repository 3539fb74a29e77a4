"""Looking at the pool: columns in memory, filters, facets, pages by key, saved views."""
