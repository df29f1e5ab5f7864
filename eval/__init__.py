"""Is it good? Is it better than before?"""
