"""The room of trainings: order one, watch it, stop it. The worker does the rest."""
