"""The room of frozen data: what people judged until now, split by prompt, as files that never change."""
