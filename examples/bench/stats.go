package main

import (
	"cmp"
	"math"
	"slices"
)

// median is the middle of the values, the mean of the two in the middle where their number is even.
func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// spread is the geometric mean of positive values, with the least and the most of them.
type spread struct{ Mean, Least, Most float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sum := 0.0
	for _, v := range values {
		sum += math.Log(v)
	}
	return spread{math.Exp(sum / float64(len(values))), slices.MinFunc(values, cmp.Compare[float64]), slices.MaxFunc(values, cmp.Compare[float64])}
}
