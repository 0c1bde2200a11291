"""Who judges what next: leases on items."""
