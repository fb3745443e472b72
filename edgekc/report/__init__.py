"""What a build costs and computes, as pictures: pure functions from data to SVG text, and the page that holds them."""
