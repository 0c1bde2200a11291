"""The room that tells other programs what happened: webhooks, and each thing that they are told."""
