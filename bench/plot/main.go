// Command plot draws the depths of the queues that bench/scale has written as a
// PNG. It is a module of its own, so that nothing else depends on a library for
// plots.
//
//	go run . -in depths.csv -out queues.png
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

func main() {
	in := flag.String("in", "", "CSV with scenario, seconds, messages")
	out := flag.String("out", "", "the PNG to write")
	flag.Parse()
	if err := draw(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func draw(in, out string) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return err
	}
	if len(rows) < 2 {
		return fmt.Errorf("%s has no depths", in)
	}
	var names []string
	lines := map[string]plotter.XYs{}
	for _, r := range rows[1:] {
		seconds, err := strconv.ParseFloat(r[1], 64)
		if err != nil {
			return err
		}
		messages, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			return err
		}
		if lines[r[0]] == nil {
			names = append(names, r[0])
		}
		lines[r[0]] = append(lines[r[0]], plotter.XY{X: seconds / 60, Y: messages})
	}
	p := plot.New()
	p.Title.Text = "Messages in the queue after all tickets changed at once"
	p.X.Label.Text, p.Y.Label.Text = "minutes, logarithmic", "messages"
	// The scenarios differ by a factor of a hundred.
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{}
	p.Legend.Left = true // where no line is
	p.Add(plotter.NewGrid())
	for i, name := range names {
		var points plotter.XYs
		for _, at := range lines[name] {
			at.X = max(at.X, 1.0/12) // a logarithm has no zero
			points = append(points, at)
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Dashes, line.Width = plotutil.Color(i), plotutil.Dashes(i), vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(name, line)
	}
	return p.Save(9*vg.Inch, 4.5*vg.Inch, out)
}
