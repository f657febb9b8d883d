"""How fast it is: training steps, search, input pipeline, serving and start-up, measured as users meet them."""
