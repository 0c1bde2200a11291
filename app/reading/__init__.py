"""How texts are shown to whoever judges them: safe, whole, and in a form that reads well."""
